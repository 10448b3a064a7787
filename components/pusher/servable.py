"""Handing a model over: what is known of it when it may be served, and which version it then is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.artifacts import Servable
from components.base.errors import DataError
from components.pusher.content import content_digest
from components.pusher.publish import Published, publish

if TYPE_CHECKING:
    from pathlib import Path

    from components.artifacts import Evaluation, Model, PushedModel, Stored
    from components.base.progress import Progress


def check_same(model: Model, evaluation: Evaluation) -> None:
    """See that an evaluation is of a model.

    Raises:
        DataError: if it is of another one.
    """
    if evaluation.weights_sha256 != model.weights_sha256:
        raise DataError(
            f"the evaluation is of another model, with the weights {evaluation.weights_sha256[:12]}",
            expected=f"one of the model that is pushed, with the weights {model.weights_sha256[:12]}",
            remedy="correct the evaluator: `weights_sha256` is that of the model it was given",
        )


def describe(source: Path, model: Model, evaluation: Evaluation) -> Servable:
    """Return what is known of a model that is to be served.

    Args:
        source: the directory of the files that are served.
        model: what they are of.
        evaluation: of the same model.

    Raises:
        DataError: if it is of another one.
    """
    check_same(model, evaluation)
    return Servable(
        content_sha256=content_digest(source),
        weights_sha256=model.weights_sha256,
        test_sha256=evaluation.test_sha256,
        verdict=evaluation.blessing.verdict,
        rubber_stamped=evaluation.blessing.rubber_stamped,
        accuracy=evaluation.metrics.accuracy,
        accuracy_interval=evaluation.metrics.accuracy_interval,
        test_images=evaluation.metrics.count,
        image_shape=model.image_shape,
        class_names=model.class_names,
    )


def publish_model(destination: Path, made: Stored[PushedModel], progress: Progress) -> str:
    """Publish a pushed model, and return which version it is; empty if it is withheld."""
    if made.artifact.directory is None or made.artifact.servable is None:
        return ""
    published = publish(
        made.directory / made.artifact.directory,
        destination,
        digest=made.artifact.servable.content_sha256,
        progress=progress,
    )
    return in_words(published)


def in_words(published: Published) -> str:
    """Return which version a model is, where, and what is served if that is another one."""
    version, served = published.version, published.served
    if version is None:
        return f"none: version {served.number} was rolled back from this model, and is served"
    said = f"version {version.number}: {version.directory}"
    if published.new:
        return said
    other = "" if served.number == version.number else f"; version {served.number} is served"
    return f"{said}, there already{other}"

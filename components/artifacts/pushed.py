"""PushedModel: a model as it is put before a model server, or why it is not."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, FileName, Fraction, ImageShape, Sha256, Statement
from components.artifacts.evaluation import Interval


class Servable(Statement):
    """What a pushed model is, for whoever finds it beside a model server: it holds no time and no version."""

    schema_version: Literal[1] = 1
    content_sha256: Sha256
    """Over the files that are served (`components.pusher.content`)."""
    weights_sha256: Sha256
    """Of the model."""
    test_sha256: Sha256
    """Over the test images and their labels that it was evaluated on, as the evaluation has it."""
    verdict: Literal["BLESSED", "NOT_BLESSED"]
    """As it was when the model was pushed: one that is judged anew is the same model."""
    rubber_stamped: bool
    """Blessed without a baseline to compare with."""
    accuracy: Fraction
    """On the test split."""
    accuracy_interval: Interval
    test_images: Annotated[int, Field(ge=1)]
    """So many were in the test split."""
    image_shape: ImageShape
    """Height, width and channels of the images that it was trained on."""
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    """What each label that it answers with is called."""


class PushedModel(Artifact):
    """A model as it is to be served, if it may be."""

    kind: Literal["pushed_model"] = "pushed_model"
    servable: Servable | None = None
    """What is delivered; None if the model is withheld."""
    directory: FileName | None = None
    """Where it is: one version directory, as TensorFlow Serving loads it."""
    withheld: str = ""
    """Why it is not delivered, in a sentence without its full stop; empty if it is."""

    @model_validator(mode="after")
    def _what_is_withheld_is_not_there(self) -> PushedModel:
        if not (self.directory is None) == (self.servable is None) == bool(self.withheld):
            raise ValueError("a model has a directory to be delivered, or a reason why it is withheld")
        return self

    def file_names(self) -> tuple[str, ...]:
        return () if self.directory is None else (self.directory,)

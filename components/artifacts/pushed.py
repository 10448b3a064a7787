"""PushedModel: a model as it is put before a model server, or why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, FileName, Fraction, ImageShape, Sha256, Statement
from components.artifacts.evaluation import Interval


class Servable(Statement):
    """What a pushed model is, for whoever finds it beside a model server: it holds no time and no version."""

    schema_version: Literal[1] = 1
    content_sha256: Sha256
    """Over the files that are served (`components.pusher.servable.servable_digest`)."""
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


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """One version at a destination, compared with the other versions there."""

    number: int
    """The name of its directory."""
    directory: Path
    published: datetime
    """In UTC, to the second."""
    servable: Servable | None
    """The statement beside the model; None for a version that this job did not publish."""
    content_sha256: str | None
    """As the statement gives it, else computed from the files; None for files that cannot be read."""
    damage: str
    """Why it cannot be served as it was published, as the end of a sentence; empty if nothing is wrong."""
    served: bool
    """Whether it is the newest version, which a model server loads by default."""
    copy_of: int | None
    """The number of the oldest version with the same content; None if that is this version."""


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """The versions that were served before and after a rollback."""

    before: PublishedVersion
    served: PublishedVersion
    """The new version, a copy of an older one."""

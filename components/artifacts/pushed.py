"""PushedModel: a model prepared for a model server, or the reason why it is withheld."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, FileName, Fraction, ImageShape, Sha256, Statement
from components.artifacts.evaluation import Interval


class Servable(Statement):
    """Description of a pushed model, written beside it. It contains no time and no version number."""

    schema_version: Literal[1] = 1
    content_sha256: Sha256
    """Over the files that are served (`components.pusher.servable.servable_digest`)."""
    weights_sha256: Sha256
    test_sha256: Sha256
    """`test_sha256` of the evaluation."""
    verdict: Literal["BLESSED", "NOT_BLESSED"]
    """At the time of the push; a later evaluation of the same model does not change it."""
    rubber_stamped: bool
    accuracy: Fraction
    """On the test split."""
    accuracy_interval: Interval
    test_images: Annotated[int, Field(ge=1)]
    image_shape: ImageShape
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]


class PushedModel(Artifact):
    """A model in the layout of a model server, unless it is withheld."""

    kind: Literal["pushed_model"] = "pushed_model"
    servable: Servable | None = None
    """None if the model is withheld."""
    directory: FileName | None = None
    """One version directory, as TensorFlow Serving loads it; None if the model is withheld."""
    withheld: str = ""
    """Why the model is not published, in one sentence without its full stop; empty if it is."""

    @model_validator(mode="after")
    def _withheld_or_servable(self) -> Self:
        if not (self.directory is None) == (self.servable is None) == bool(self.withheld):
            raise ValueError("expected either a servable and its directory, or the reason why the model is withheld")
        return self

    def file_names(self) -> tuple[str, ...]:
        return () if self.directory is None else (self.directory,)


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """One version at a destination, compared with the other versions there."""

    number: int
    """The name of its directory."""
    directory: Path | str
    """A path, or a URL of object storage."""
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

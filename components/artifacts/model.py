"""Model: a trained classifier in the forms that one deploys, and how it came to be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.base import Artifact, Count, FileName, Fraction, ImageShape, Sha256, Statement


class Epoch(Statement):
    """One row of the training history."""

    epoch: Annotated[int, Field(ge=1)]
    loss: float
    accuracy: Fraction
    val_loss: float
    val_accuracy: Fraction
    learning_rate: float
    """At the end of the epoch."""


class TrainingEnvironment(Statement):
    """What a model was trained on."""

    versions: dict[str, str]
    python: str
    device: str
    threads: Annotated[int, Field(ge=1)]
    seed: int


class Model(Artifact):
    """A trained classifier in the forms that one deploys."""

    kind: Literal["model"] = "model"
    format: Literal["keras", "linear"]
    """`keras`: a convolutional network; `linear`: one weight a pixel and class (see `components.models.predictor`)."""
    file: FileName
    saved_model: FileName | None = None
    """Directory of a SavedModel whose default signature takes raw images."""
    history_file: FileName
    image_shape: ImageShape
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    test_time_shift: Count = 0
    """Pixels: answers are means over the image and the same moved by up to so many (`components.models.averaging`);
    `saved_model` does it by itself, `file` does not."""
    parameters: Count
    weights_sha256: Sha256
    """Over the bytes of all weights in their order: equal exactly if the networks are."""
    history: Annotated[tuple[Epoch, ...], Field(min_length=1)]
    best_epoch: Annotated[int, Field(ge=1)]
    """The epoch whose weights these are."""
    stopped_early: bool
    environment: TrainingEnvironment

    def file_names(self) -> tuple[str, ...]:
        names = (self.file, self.history_file)
        return names if self.saved_model is None else (*names, self.saved_model)

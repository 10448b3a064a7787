"""Model: a trained classifier in the forms that one deploys, and how it came to be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, Count, FileName, Fraction, ImageShape, Sha256, Statement

ExportFormat = Literal["keras", "saved_model", "litert", "onnx"]


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


class Export(Statement):
    """A form in which the model is deployed: it takes raw images, and was tried before it was sealed."""

    format: ExportFormat
    file: FileName
    """A file, or of `saved_model` a directory."""
    images: Annotated[int, Field(ge=1)]
    """Raw validation images that it and the network in memory were given."""
    largest_difference: Annotated[float, Field(ge=0)]
    """Between two probabilities."""
    tolerance: Annotated[float, Field(ge=0)]


class Model(Artifact):
    """A trained classifier in the forms that one deploys."""

    kind: Literal["model"] = "model"
    format: Literal["keras", "linear"]
    """`keras`: a convolutional network; `linear`: one weight a pixel and class (see `inference.predictor`)."""
    file: FileName
    """What `components.inference.predictor` reads. Of a `keras` model the network of scaled images alone, or within a
    model of raw ones as the layer `components.inference.predictor.NETWORK_LAYER`."""
    exports: tuple[Export, ...] = ()
    """The forms in which it is deployed; `file` can be one of them."""
    history_file: FileName
    image_shape: ImageShape
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    test_time_shift: Count = 0
    """Pixels: answers are means over the image and the same moved by up to so many (`components.inference.averaging`);
    `exports` do it by themselves, the network of scaled images does not."""
    parameters: Count
    weights_sha256: Sha256
    """Over the bytes of all weights in their order: equal exactly if the networks are."""
    history: Annotated[tuple[Epoch, ...], Field(min_length=1)]
    best_epoch: Annotated[int, Field(ge=1)]
    """The epoch whose weights these are."""
    stopped_early: bool
    environment: TrainingEnvironment

    @model_validator(mode="after")
    def _the_best_epoch_is_one_of_the_history(self) -> Model:
        if self.best_epoch not in {row.epoch for row in self.history}:
            raise ValueError(f"best_epoch is {self.best_epoch}, which is not in the history")
        return self

    @property
    def kept(self) -> Epoch:
        """The row of the epoch whose weights these are."""
        return next(row for row in self.history if row.epoch == self.best_epoch)

    @property
    def saved_model(self) -> str | None:
        """The directory of the SavedModel, whose default signature takes raw images; None if there is none."""
        return next((export.file for export in self.exports if export.format == "saved_model"), None)

    def file_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.file, self.history_file, *(export.file for export in self.exports))))

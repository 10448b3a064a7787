"""Model: a trained classifier, its deployment formats, and its training history."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, Count, FileName, Fraction, ImageShape, NonNegative, Sha256, Statement

ExportFormat = Literal["keras", "saved_model", "litert", "litert_int8", "onnx"]
LOSSY_FORMATS: tuple[ExportFormat, ...] = ("litert_int8",)
"""Formats that round the weights."""
MAX_LAYERS_LISTED = 20


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
    """The software and hardware that trained a model."""

    versions: dict[str, str]
    python: str
    device: str
    threads: Annotated[int, Field(ge=1)]
    seed: int


class Layer(Statement):
    """One layer of a network."""

    name: str
    """The name; a layer of a nested network has the names of both, as `network/layer`."""
    kind: str
    """The name of its class."""
    output_shape: tuple[int | None, ...]
    """Without the batch; empty if the layer does not state it."""
    parameters: Count


class AugmentedImages(Statement):
    """Training images, and their augmented variants of the first training steps."""

    file: FileName
    """float32 [images, 1 + variants, height, width, channels]: each image, followed by its variants."""
    rows: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Row of each image in the training split."""


class InitialWeights(Statement):
    """Initial weights from another model: which layers have them, and which do not."""

    weights_sha256: Sha256
    """Digest of the other model's weights."""
    loaded: tuple[str, ...]
    """Layers that began with its weights."""
    not_loaded: dict[str, str] = Field(default={})
    """Other layers with weights, and why each began at random."""

    def describe(self) -> str:
        """Return which layers began with the weights of the other model, and which did not, as text.

        >>> InitialWeights(weights_sha256="7c" * 32, loaded=("body",), not_loaded={"head": "other classes"}).describe()
        'body as in the model 7c7c7c7c7c7c; at random: head (other classes)'
        """
        others = [f"{name} ({why})" for name, why in self.not_loaded.items()]
        text = f"{_listed(self.loaded)} as in the model {self.weights_sha256[:12]}"
        return f"{text}; at random: {_listed(others)}" if others else text


class Export(Statement):
    """The model in one deployment format, which takes raw images and was compared with the network in memory."""

    format: ExportFormat
    file: FileName
    """A file; for `saved_model`, a directory."""
    images: Annotated[int, Field(ge=1)]
    """Raw validation images that were compared."""
    largest_difference: NonNegative
    """Between two probabilities."""
    tolerance: NonNegative
    same_class: Fraction
    """The fraction of the images that both assign to the same class."""


class Model(Artifact):
    """A trained classifier."""

    kind: Literal["model"] = "model"
    format: Literal["keras", "linear"]
    """`keras`: a network; `linear`: one weight per pixel and class (see `inference.predictor`)."""
    built_by: str = ""
    """The user's function that builds the network, as `my_module:my_function`; empty for the built-in network."""
    file: FileName
    """The file that `components.inference.predictor` loads. For a `keras` model, it contains the network for scaled
    images, either alone or as the layer `NETWORK_LAYER` of a model for raw images."""
    exports: tuple[Export, ...] = ()
    """Deployment formats; `file` may be one of them."""
    history_file: FileName
    steps_file: FileName | None = None
    """A CSV file with loss and accuracy of each group of training steps: epoch, step over all epochs, images of the
    group, and their means; None if they were not recorded."""
    image_shape: ImageShape
    """Of the images that the model predicts; operations of the transform graph may resize them for the network."""
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    label_smoothing: Fraction = 0.0
    """The fraction of each training label that was spread over all classes. The training loss includes it, the
    validation loss does not."""
    test_time_shift: Count = 0
    """Pixels: predictions are means over copies of the image that are shifted by up to this many
    (`components.inference.averaging`). The exports include it, the network for scaled images does not."""
    parameters: Count
    weights_sha256: Sha256
    """Over the bytes of all weights in order: equal only for equal networks."""
    history: Annotated[tuple[Epoch, ...], Field(min_length=1)]
    layers: tuple[Layer, ...] = ()
    """The layers of a `keras` model, in order."""
    augmented: AugmentedImages | None = None
    """Examples of the augmentation; None without augmentation."""
    initial_weights: InitialWeights | None = None
    """The weights that training began with; None if they were random or computed from images."""
    frozen: tuple[str, ...] = ()
    """Layers that were not trained."""
    best_epoch: Annotated[int, Field(ge=1)]
    """The epoch that the weights come from."""
    stopped_early: bool
    environment: TrainingEnvironment

    @model_validator(mode="after")
    def _the_best_epoch_is_one_of_the_history(self) -> Self:
        if self.best_epoch not in {row.epoch for row in self.history}:
            raise ValueError(f"best_epoch is {self.best_epoch}, which is not in the history")
        return self

    @property
    def best(self) -> Epoch:
        """The row of the best epoch."""
        return next(row for row in self.history if row.epoch == self.best_epoch)

    @property
    def saved_model(self) -> str | None:
        """The directory of the SavedModel, whose default signature takes raw images, or None."""
        return self._file_of("saved_model")

    @property
    def quantized(self) -> str | None:
        """The LiteRT file with 8-bit integers, or None."""
        return self._file_of("litert_int8")

    def _file_of(self, name: ExportFormat) -> str | None:
        return next((export.file for export in self.exports if export.format == name), None)

    def file_names(self) -> tuple[str, ...]:
        augmented = None if self.augmented is None else self.augmented.file
        exports = (export.file for export in self.exports)
        files = (self.file, self.history_file, self.steps_file, augmented, *exports)
        return tuple(dict.fromkeys(file for file in files if file is not None))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_LAYERS_LISTED
    return ", ".join([*names[:MAX_LAYERS_LISTED], *([f"{more} more"] if more > 0 else [])])

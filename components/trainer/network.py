"""The built-in network: convolutions with max-pooling, dense layers, softmax."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from components.base.component import ComponentConfig
from components.base.errors import ConfigError
from components.inference.predictor import NETWORK_LAYER

POOLING_STRIDE = 2
"""Each pooling halves height and width."""
Units = Annotated[int, Field(strict=True, ge=1, le=8192)]
Kernel = Annotated[int, Field(strict=True, ge=1, le=15)]
Number = Annotated[int, Field(strict=True, ge=1)]
Padding = Literal["same", "valid"]
MAX_CONVOLUTIONS = 32


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution of the built-in network, and whether max-pooling follows it."""

    filters: int
    kernel: int
    padding: Padding
    is_pooled: bool

    @property
    def border(self) -> int:
        """Pixels that are missing in height and width of the output."""
        return self.kernel - 1 if self.padding == "valid" else 0


class NetworkConfig(ComponentConfig):
    """Sizes of the built-in network's layers."""

    crop: Annotated[int, Field(strict=True, ge=0, le=1024)] = 0
    """Pixels that the network removes from each side of an image before the first convolution, to save the work on
    them. Useful if the border hardly matters. Predictions still take whole images."""
    filters: Annotated[tuple[Units, ...], Field(min_length=1, max_length=MAX_CONVOLUTIONS)] = (32, 64, 64)
    """Filters of each convolution."""
    kernels: Kernel | tuple[Kernel, ...] = 3
    """Height and width of each convolution's kernels, in pixels. One value applies to all."""
    padding: Padding | tuple[Padding, ...] = "same"
    """`same` pads each convolution's input with zeros; `valid` leaves out its border, and the work there. One value
    applies to all."""
    pooled: Annotated[tuple[Number, ...], AfterValidator(lambda numbers: tuple(sorted({*numbers})))] | None = None
    """The convolutions that max-pooling follows, by their numbers from 1; by default all."""
    pooling: Annotated[int, Field(strict=True, ge=POOLING_STRIDE, le=7)] = POOLING_STRIDE
    """Height and width of the max-pooling windows, which are two pixels apart. With 3 they overlap, so that a small
    shift changes less (A. Krizhevsky et al., 2012, section 3.4)."""
    dense: Annotated[tuple[Units, ...], Field(max_length=8)] = (128, 64)
    """Units of each dense layer before the output; empty for none."""
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.3
    """The fraction of activations dropped before each dense layer during training."""
    batch_normalization: Annotated[bool, Field(strict=True)] = False
    """Whether each convolution's output is normalized over the batch."""
    whitening: Annotated[bool, Field(strict=True)] = False
    """Whether the filters of the first convolution are computed from training images instead of trained: they whiten
    patches (see `components.trainer.whitening`). Its output is not normalized, and training needs no gradient of it.
    With `trainer.init_from`, the filters are those of that model, if their shape is the same."""
    normalization_momentum: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.9
    """Decay of the running mean and variance at each step."""

    @model_validator(mode="after")
    def _every_convolution_has_its_sizes(self) -> Self:
        count = len(self.filters)
        for name, given in (("kernels", self.kernels), ("padding", self.padding)):
            if isinstance(given, tuple) and len(given) != count:
                raise ValueError(
                    f"{name} has {len(given)} values, but filters has {count}: write one value for all, or one for each"
                )
        if self.pooled and max(self.pooled) > count:
            raise ValueError(
                f"pooled names convolution {max(self.pooled)}, but there are {count}: write numbers from 1 to {count}"
            )
        if self.whitening and self.filters[0] % 2:
            raise ValueError(
                "whitening needs an even number of filters in the first convolution: each is also used with the "
                "opposite sign"
            )
        return self

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """All convolutions, in order."""
        count = len(self.filters)
        kernels = self.kernels if isinstance(self.kernels, tuple) else (self.kernels,) * count
        padding = self.padding if isinstance(self.padding, tuple) else (self.padding,) * count
        pooled = range(1, count + 1) if self.pooled is None else self.pooled
        return tuple(
            Convolution(filters=filters, kernel=kernel, padding=each_padding, is_pooled=number in pooled)
            for number, (filters, kernel, each_padding) in enumerate(
                zip(self.filters, kernels, padding, strict=True), start=1
            )
        )

    def build(self, *, image_shape: tuple[int, int, int], classes: int, seed: int) -> Any:
        """Return the network (see `build_network`)."""
        return build_network(self, image_shape=image_shape, classes=classes, seed=seed)

    def multiplications(self, *, image_shape: tuple[int, int, int], classes: int) -> int:
        """Return the number of multiplications that predict one image; the time of training is proportional to it.

        >>> NetworkConfig().multiplications(image_shape=(28, 28, 1), classes=10)
        5727360
        """
        height, width, channels = image_shape
        height, width = height - 2 * self.crop, width - 2 * self.crop
        total = 0
        for each in self.convolutions:
            height, width = height - each.border, width - each.border
            total += height * width * each.filters * channels * each.kernel**2
            if each.is_pooled:
                rounding = int(self.pooling > POOLING_STRIDE)  # overlapping windows extend over the border
                height, width = ((size + rounding) // POOLING_STRIDE for size in (height, width))
            channels = each.filters
        inputs = height * width * channels
        for units in (*self.dense, classes):
            total += inputs * units
            inputs = units
        return total


def build_network(config: NetworkConfig, *, image_shape: tuple[int, int, int], classes: int, seed: int) -> Any:
    """Return the network as a keras.Sequential that is built but not compiled.

    Each block is convolution, pooling if configured, then ReLU. ReLU is monotone, so pooling first gives the same
    numbers and leaves ReLU a quarter of the work. Layers have fixed names, and each random initializer and dropout has
    its own seed: building twice gives the same network.

    Args:
        image_shape: height, width and channels of float32 images.

    Raises:
        ConfigError: if the images are too small for the crop, the convolutions and the poolings.
    """
    import keras
    import numpy as np
    from keras import layers

    _check_image_size(config, *image_shape[:2])
    random = np.random.default_rng(seed)
    network: list[Any] = [keras.Input(image_shape, name="image")]

    def add(layer_class: Any, *args: Any, name: str, **options: Any) -> None:
        network.append(layer_class(*args, dtype="float32", name=name, **options))

    def next_seed() -> int:
        return int(random.integers(2**31))

    def he_normal() -> Any:  # K. He et al., "Delving Deep into Rectifiers", 2015, for layers before a ReLU
        return keras.initializers.HeNormal(seed=next_seed())

    pooling_padding = "valid" if config.pooling == POOLING_STRIDE else "same"
    if config.crop:
        add(layers.Cropping2D, config.crop, name="crop")
    for n, each in enumerate(config.convolutions, start=1):
        is_fixed = config.whitening and n == 1
        options = {"padding": each.padding, "use_bias": not (config.batch_normalization or is_fixed)}
        options |= {"kernel_initializer": he_normal(), "trainable": not is_fixed}
        add(layers.Conv2D, each.filters, each.kernel, name=f"convolution_{n}", **options)
        if each.is_pooled:
            add(layers.MaxPooling2D, config.pooling, POOLING_STRIDE, pooling_padding, name=f"pooling_{n}")
        if config.batch_normalization and not is_fixed:
            add(layers.BatchNormalization, name=f"normalization_{n}", momentum=config.normalization_momentum)
        add(layers.ReLU, name=f"relu_{n}")
    add(layers.Flatten, name="flatten")
    for n, units in enumerate(config.dense, start=1):
        if config.dropout:
            add(layers.Dropout, config.dropout, name=f"dropout_{n}", seed=next_seed())
        add(layers.Dense, units, "relu", name=f"dense_{n}", kernel_initializer=he_normal())
    glorot = keras.initializers.GlorotUniform(seed=next_seed())
    add(layers.Dense, classes, "softmax", name="probabilities", kernel_initializer=glorot)
    # All layers at once: `Sequential.add` rebuilds the network after each one.
    return keras.Sequential(network, name=NETWORK_LAYER)


def weights_digest(network: Any) -> str:
    """Return the SHA-256 of all weights (see `variables_digest`)."""
    return variables_digest(network.weights)


def variables_digest(variables: Sequence[Any]) -> str:
    """Return the SHA-256 of Keras variables: their paths, dtypes, shapes and bytes, in order."""
    digest = hashlib.sha256()
    for variable in variables:
        array = variable.numpy()
        digest.update(f"{variable.path} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_image_size(config: NetworkConfig, height: int, width: int) -> None:
    smallest = 1
    for each in reversed(config.convolutions):
        if each.is_pooled:
            # Overlapping windows extend over the border: they round the size up, others round it down.
            overlaps = config.pooling > POOLING_STRIDE
            smallest = smallest * POOLING_STRIDE - overlaps
        smallest += each.border
    smallest += 2 * config.crop
    if min(height, width) < smallest:
        raise ConfigError(
            f"the convolutions and poolings leave nothing of images of {height}x{width} pixels",
            expected=f"at least {smallest}x{smallest} pixels",
            remedy="set a larger example_gen.source.size, use larger images, or reduce trainer.network.crop",
        )

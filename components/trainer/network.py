"""The convolutional network: three convolutions with max-pooling, two dense layers, softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from components.base.component import ComponentConfig
from components.base.errors import ConfigError
from components.inference.predictor import NETWORK_LAYER

if TYPE_CHECKING:
    from collections.abc import Iterator

STRIDE = 2
"""Of the poolings: each halves height and width."""
CONVOLUTIONS = 3
Units = Annotated[int, Field(strict=True, ge=1, le=8192)]
Kernel = Annotated[int, Field(strict=True, ge=1, le=15)]
Padding = Literal["same", "valid"]
PoolSize = Annotated[int, Field(strict=True, ge=STRIDE, le=7)]


class NetworkConfig(ComponentConfig):
    """The shape of the network."""

    filters: tuple[Units, Units, Units] = (32, 64, 64)
    """Filters of each convolution."""
    kernels: tuple[Kernel, Kernel, Kernel] = (3, 3, 3)
    """Height and width of each convolution's kernels, in pixels."""
    padding: tuple[Padding, Padding, Padding] = ("same", "same", "same")
    """`same` surrounds each convolution's input with zeros; `valid` leaves out its border, and the work there."""
    pooling: PoolSize = STRIDE
    """Height and width of the windows of max-pooling, which are two pixels apart: 3 lets them overlap, so that a small
    shift changes less (A. Krizhevsky et al., 2012, section 3.4)."""
    dense: tuple[Units, Units] = (128, 64)
    """Units of each dense layer before the output."""
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.3
    """Share of the activations dropped before each dense layer while training."""
    batch_normalization: Annotated[bool, Field(strict=True)] = False
    """Whether each convolution's output is normalized over the batch."""
    normalization_momentum: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.9
    """How much of the running mean and variance stays at each step."""


def check_image_size(config: NetworkConfig, height: int, width: int) -> None:
    """Hold the images' size against what convolutions without padding and the poolings leave of it.

    Raises:
        ConfigError: if that is nothing.
    """
    least = 1
    for kernel, padding in reversed(list(zip(config.kernels, config.padding, strict=True))):
        # Overlapping windows reach over the border, and round up what others round down.
        least = least * STRIDE - (config.pooling > STRIDE) + (kernel - 1 if padding == "valid" else 0)
    if min(height, width) < least:
        raise ConfigError(
            f"{CONVOLUTIONS} poolings leave nothing of images of {height}x{width} pixels",
            expected=f"at least {least}x{least} pixels",
            remedy="set a larger example_gen.source.size, or use larger images",
        )


def build_network(
    config: NetworkConfig,
    *,
    image_shape: tuple[int, int, int],
    classes: int,
    seed: int,
    precision: str = "float32",
) -> Any:
    """Return the network, not yet compiled, as a keras.Sequential.

    Each block is convolution, pooling, then ReLU: pooling first gives the same numbers, because
    ReLU is monotone, and ReLU then has a quarter of the work. Layers have fixed names, and each
    random initializer and dropout its own seed, so that building twice gives the same network.

    Args:
        config: the network's shape.
        image_shape: height, width and channels of float32 images.
        classes: units of the softmax output.
        seed: decides the initial weights and the dropout.
        precision: a keras dtype policy: what the layers compute in. The softmax is float32 always.

    Raises:
        ConfigError: if the images are too small for the pooling.
    """
    import keras
    from keras import layers

    check_image_size(config, *image_shape[:2])
    seeds = _seeds(seed)
    policy = keras.dtype_policies.DTypePolicy(precision)

    def he_normal() -> Any:  # K. He et al., "Delving Deep into Rectifiers", 2015, for layers before a ReLU
        return keras.initializers.HeNormal(seed=next(seeds))

    # Put together at once: with `add` the network is built anew after each layer.
    network: list[Any] = [keras.Input(image_shape, name="image")]
    blocks = zip(config.filters, config.kernels, config.padding, strict=True)
    for number, (filters, kernel, padding) in enumerate(blocks, start=1):
        network.append(
            layers.Conv2D(
                filters,
                kernel,
                padding=padding,
                use_bias=not config.batch_normalization,
                kernel_initializer=he_normal(),
                dtype=policy,
                name=f"convolution_{number}",
            )
        )
        network.append(
            layers.MaxPooling2D(
                config.pooling,
                strides=STRIDE,
                padding="valid" if config.pooling == STRIDE else "same",
                dtype=policy,
                name=f"pooling_{number}",
            )
        )
        if config.batch_normalization:
            network.append(
                layers.BatchNormalization(
                    momentum=config.normalization_momentum, dtype=policy, name=f"normalization_{number}"
                )
            )
        network.append(layers.ReLU(dtype=policy, name=f"relu_{number}"))
    network.append(layers.Flatten(dtype=policy, name="flatten"))
    for number, units in enumerate(config.dense, start=1):
        if config.dropout:
            network.append(layers.Dropout(config.dropout, seed=next(seeds), dtype=policy, name=f"dropout_{number}"))
        network.append(
            layers.Dense(units, activation="relu", kernel_initializer=he_normal(), dtype=policy, name=f"dense_{number}")
        )
    network.append(
        layers.Dense(
            classes,
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            name="probabilities",
        )
    )
    return keras.Sequential(network, name=NETWORK_LAYER)


def _seeds(seed: int) -> Iterator[int]:
    """Yield seeds that differ from each other and from those of any other `seed`."""
    import numpy as np

    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))

"""NetworkKernels: the weights of the first convolution or dense layer, as small images."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Model, Stored
from components.visualizer.network_calls import operations


@dataclass(frozen=True)
class NetworkKernels:
    """The kernels of the first layer."""

    layer: str
    kernels: NDArray[np.float32]
    """[kernels, height, width, channels]"""

    @property
    def limit(self) -> float:
        """The largest absolute value."""
        return float(np.abs(self.kernels).max()) or 1.0

    def in_color(self) -> NDArray[np.float32]:
        """Return the kernels as colors, from 0 to 1; a weight of zero is 0.5."""
        return ((self.kernels / self.limit + 1) / 2).astype(np.float32)

    @classmethod
    def of(cls, model: Stored[Model], network: Any) -> Self | None:
        """Return the kernels of the first convolution or dense layer; None if they cannot be shown as images.

        `network` is what `load_network` returns, and None for a `linear` model: its weights are one image per class.
        """
        shape = model.artifact.image_shape
        if network is None:
            with np.load(model.directory / model.artifact.file, allow_pickle=False) as arrays:
                return cls("weights", _as_images(arrays["weights"], shape))
        for layer in operations(network):
            kernel = getattr(layer, "depthwise_kernel", None)  # a separable convolution has this one
            kernel = getattr(layer, "kernel", None) if kernel is None else kernel
            if kernel is None:
                continue
            weights = np.asarray(kernel, dtype=np.float32)
            if weights.ndim == 4 and weights.shape[2] == shape[2]:
                if hasattr(layer, "depth_multiplier"):  # each channel has its own kernels
                    weights = weights.reshape(*weights.shape[:2], 1, -1)
                return cls(layer.name, np.moveaxis(weights, -1, 0))
            if weights.ndim == 2 and weights.shape[0] == np.prod(shape):
                return cls(layer.name, _as_images(weights, shape))
            return None
        return None


def _as_images(weights: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the weights of a dense layer, [pixels, units], as one image per unit."""
    return weights.T.reshape(-1, *shape)

"""Batch normalization of a trained network, as one multiplication and one addition for each channel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scale_and_offset(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a `BatchNormalization` layer multiplies each channel by, and then adds: each float64 [channels].

    (x - mean) / sqrt(variance + epsilon) * gamma + beta is x * scale + offset.
    """
    mean, variance = (moment.numpy().astype(np.float64) for moment in (layer.moving_mean, layer.moving_variance))
    scale = (layer.gamma.numpy() if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return scale, (layer.beta.numpy() if layer.center else 0.0) - mean * scale

"""Bilinear interpolation in NumPy, as TensorFlow computes it."""

import numpy as np
from numpy.typing import NDArray


def resize_bilinear(images: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return images resized with bilinear interpolation and the bits of `tf.image.resize`.

    The images are float32 [batch, height, width, channels].
    """

    def neighbors(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Return the two neighbors of each new pixel along an axis, and the weight of the second one."""
        center = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * (np.float32(old) / np.float32(new))
        position = center - np.float32(0.5)
        first = np.floor(position)
        second = np.minimum(np.ceil(position), old - 1)
        return np.maximum(first, 0).astype(np.int64), second.astype(np.int64), position - first

    def interpolate(axis: int, new: int, value: NDArray[np.float32]) -> NDArray[np.float32]:
        first, second, weight = neighbors(value.shape[axis], new)
        start, end = value.take(first, axis), value.take(second, axis)
        return start + (end - start) * weight.reshape(-1, *(1,) * (value.ndim - axis - 1))

    return interpolate(1, height, interpolate(2, width, images))

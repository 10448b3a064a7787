"""Conversion of color images to grayscale such that ink contrasts with paper of any color."""

import numpy as np
from numpy.typing import NDArray


def edge_mask(image: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return a mask of the pixels at the edge of an image: bool [height, width]."""
    height, width = image.shape[:2]
    depth = max(1, round(0.04 * min(height, width)))  # of the shorter side
    mask = np.ones((height, width), dtype=bool)
    mask[depth : height - depth, depth : width - depth] = False
    return mask


def to_max_contrast(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert an image to the gray axis of most contrast: float32 [height, width].

    The axis is the first principal component of the colors (K. Pearson, 1901), measured from the paper's color, which
    is the median of the edge. Red ink on green paper of the same brightness stays visible. The sign is arbitrary: ink
    may come out brighter or darker than paper. Gray images, [height, width], are returned unchanged.
    """
    if image.ndim == 2:
        return image.astype(np.float32)
    colors = image.astype(np.float32)
    paper = np.median(colors[edge_mask(colors)], axis=0)
    offsets = (colors - paper).reshape(-1, 3)
    _, axes = np.linalg.eigh(offsets.T @ offsets)
    # Without colors, the weights of red, green and blue are those of ITU-R BT.601, which Pillow uses too.
    axis = axes[:, -1] if np.any(offsets) else np.array((0.299, 0.587, 0.114))
    # Scaled so that a difference of gray levels is as large as in an image of one channel.
    axis = axis / np.sqrt(3)
    gray: NDArray[np.float32] = (offsets @ axis.astype(np.float32)).reshape(image.shape[:2])
    return gray

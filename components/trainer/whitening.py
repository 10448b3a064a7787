"""Whitening: filters of a first convolution whose outputs are uncorrelated over the patches of training images.

As in K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.1, after D. Page, "How to Train Your
ResNet", 2018.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.base.errors import ConfigError
from components.inference.split_images import SplitImages

WHITENED_LAYER = "convolution_1"
MAX_PIXELS = 1000 * 28 * 28
"""Of the first training images, which are in random order."""
PATCH_STRIDE = 2
REGULARIZATION = 1e-2
"""Added to each variance, so that directions in which patches hardly differ are not amplified."""


def whiten(network: Any, train: SplitImages, *, crop: int) -> None:
    """Assign whitening filters to the first convolution of a built-in network.

    Raises:
        ConfigError: if the convolution has more filters than there are directions, each with two signs.
    """
    layer = network.get_layer(WHITENED_LAYER)
    size, _, channels, filters = layer.kernel.shape
    if filters > 2 * size * size * channels or filters % 2:
        raise ConfigError(
            f"trainer.network.whitening is true, but the first convolution has {filters} filters",
            expected=f"an even number of at most {2 * size * size * channels}, for kernels of {size}x{size} pixels",
            remedy="change trainer.network.filters, or set trainer.network.whitening to false",
        )
    height, width, _ = train.image_shape
    images = train.read(0, min(max(1, MAX_PIXELS // (height * width)), len(train)))
    directions = whitening_filters(images[:, crop : height - crop, crop : width - crop], size=size, count=filters // 2)
    layer.kernel.assign(np.concatenate([directions, -directions], axis=-1))


def whitening_filters(images: NDArray[np.float32], *, size: int, count: int) -> NDArray[np.float32]:
    """Return the filters of the largest principal components of patches, divided by their standard deviations.

    Args:
        images: [count, height, width, channels].
        size: height and width of a patch.
        count: number of filters.

    Returns:
        Filters of a convolution: float32 [size, size, channels, count].
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    patches = windows[:, ::PATCH_STRIDE, ::PATCH_STRIDE].transpose(0, 1, 2, 4, 5, 3)
    # In float64, so that the order of sums does not change a rounded filter.
    patches = patches.reshape(-1, size * size * images.shape[-1]).astype(np.float64)
    patches -= patches.mean(axis=0)
    # Not by matrix multiplication: its threads wait for each other in a loop, for seconds beside other programs.
    covariance = np.einsum("pi,pj->ij", patches, patches) / len(patches)
    variances, vectors = np.linalg.eigh(covariance)
    largest = vectors[:, ::-1][:, :count] / np.sqrt(np.maximum(variances[::-1][:count], 0) + REGULARIZATION)
    # The sign of an eigenvector is arbitrary.
    largest *= np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(count)])
    filters: NDArray[np.float32] = largest.astype(np.float32)
    return filters.reshape(size, size, images.shape[-1], count)

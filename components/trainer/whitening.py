"""Whitening: filters of a first convolution whose outputs are uncorrelated over the patches of training images.

As in K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.2, after D. Page, "How to Train Your
ResNet", 2018.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.base.errors import ConfigError
from components.inference.split_images import SplitImages

WHITENED_LAYER = "convolution_1"
MAX_PATCH_VALUES = 3_625_000
"""Maximum number of values in all patches: those of 1,000 images of 24x24 pixels with patches of 5x5. The first
training images are used, which are in random order."""
PATCH_STRIDE = 2
REGULARIZATION = 1e-2
"""Added to each variance, so that directions in which patches hardly differ are not amplified."""
MIN_VARIANCE = 1e-6
"""Of a direction, relative to the largest. Below it, only rounding errors remain, and filters are arbitrary."""


def whiten(network: Any, train: SplitImages, *, crop: int) -> None:
    """Assign whitening filters to the first convolution of a built-in network.

    Raises:
        ConfigError: if a patch is larger than the cropped images, or the convolution has more filters than there are
            directions in which patches differ, each with two signs.
    """
    layer = network.get_layer(WHITENED_LAYER)
    size, _, channels, filters = layer.kernel.shape
    height, width = (side - 2 * crop for side in train.image_shape[:2])
    if min(height, width) < size:
        raise ConfigError(
            f"trainer.network.whitening: the cropped images have {height}x{width} pixels",
            expected=f"at least {size}x{size}, the size of the first convolution's kernels",
            remedy="reduce trainer.network.crop or trainer.network.kernels, or set trainer.network.whitening to false",
        )
    patch_values = (height * width // PATCH_STRIDE**2 + 1) * size * size * channels
    images = train.read(0, min(max(1, MAX_PATCH_VALUES // patch_values), len(train)))
    images = images[:, crop : crop + height, crop : crop + width]
    directions = whitening_filters(images, size=size)[..., : filters // 2]
    if (found := directions.shape[-1]) < filters // 2:
        raise ConfigError(
            f"trainer.network.whitening: the first convolution has {filters} filters",
            expected=f"at most {2 * found}, two for each direction in which patches of {size}x{size} pixels differ",
            remedy="reduce trainer.network.filters, or set trainer.network.whitening to false",
        )
    layer.kernel.assign(np.concatenate([directions, -directions], axis=-1))


def whitening_filters(images: NDArray[np.float32], *, size: int) -> NDArray[np.float32]:
    """Return the principal components of patches, divided by their standard deviations, from the largest on.

    Args:
        images: [count, height, width, channels].
        size: height and width of a patch.

    Returns:
        Filters of a convolution: float32 [size, size, channels, directions], for all directions in which patches
        differ.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    patches = windows[:, ::PATCH_STRIDE, ::PATCH_STRIDE].transpose(0, 1, 2, 4, 5, 3)
    # In float64, so that the order of sums does not change a rounded filter.
    patches = patches.reshape(-1, size * size * images.shape[-1]).astype(np.float64)
    patches -= patches.mean(axis=0)
    # Without BLAS: its threads spin while they wait, which took seconds beside other programs.
    covariance = np.einsum("pi,pj->ij", patches, patches) / len(patches)
    variances, vectors = np.linalg.eigh(covariance)
    count = int((variances > MIN_VARIANCE * max(variances[-1], MIN_VARIANCE)).sum())
    largest = vectors[:, ::-1][:, :count] / np.sqrt(variances[::-1][:count] + REGULARIZATION)
    # The sign of an eigenvector is arbitrary.
    largest *= np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(count)])
    filters: NDArray[np.float32] = largest.astype(np.float32)
    return filters.reshape(size, size, images.shape[-1], count)

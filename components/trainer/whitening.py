"""Whitening: filters of a first convolution whose outputs are uncorrelated over the patches of training images.

As in K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.2, after D. Page, "How to Train Your
ResNet", 2018.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.base.errors import ConfigError
from components.inference.split_images import SplitImages

WHITENED_LAYER = "convolution_1"
MAX_IMAGES = 1000
"""Maximum number of images with patches: the first training images, which are in random order."""
MAX_PATCH_VALUES = 3_625_000
"""Maximum number of values in all patches. Patches of larger images are farther apart than `MIN_STRIDE`."""
MIN_STRIDE = 2
MAX_PIXELS_READ = 1 << 20
"""Pixels read at a time, unless one image has more."""
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
    size, *_, filters = layer.kernel.shape
    height, width = (side - 2 * crop for side in train.image_shape[:2])
    if min(height, width) < size:
        raise ConfigError(
            f"trainer.network.whitening: the cropped images have {height}x{width} pixels",
            expected=f"at least {size}x{size}, the size of the first convolution's kernels",
            remedy="reduce trainer.network.crop or trainer.network.kernels, or set trainer.network.whitening to false",
        )
    patches = np.concatenate(list(_read_patches(train, size=size, crop=crop)))
    directions = whitening_filters(patches)[..., : filters // 2]
    if (found := directions.shape[-1]) < filters // 2:
        raise ConfigError(
            f"trainer.network.whitening: the first convolution has {filters} filters",
            expected=f"at most {2 * found}, two for each direction in which patches of {size}x{size} pixels differ",
            remedy="reduce trainer.network.filters, or set trainer.network.whitening to false",
        )
    layer.kernel.assign(np.concatenate([directions, -directions], axis=-1))


def _read_patches(train: SplitImages, *, size: int, crop: int) -> Iterator[NDArray[np.float32]]:
    """Yield the patches of some images at a time, as in `extract_patches`."""
    height, width, channels = train.image_shape
    count = min(MAX_IMAGES, len(train))
    patches_per_image = max(1, MAX_PATCH_VALUES // (count * size * size * channels))
    inside = (height - 2 * crop) * (width - 2 * crop)
    stride = max(MIN_STRIDE, math.ceil(math.sqrt(inside / patches_per_image)))
    step = max(1, MAX_PIXELS_READ // (height * width * channels))
    for start in range(0, count, step):
        images = train.read(start, min(start + step, count))
        yield extract_patches(images[:, crop : height - crop, crop : width - crop], size=size, stride=stride)


def extract_patches(images: NDArray[np.float32], *, size: int, stride: int = MIN_STRIDE) -> NDArray[np.float32]:
    """Return patches that are `stride` pixels apart.

    Args:
        images: [count, height, width, channels].
        size: height and width of a patch.

    Returns:
        float32 [patches, size, size, channels].
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3).reshape(-1, size, size, images.shape[-1])


def whitening_filters(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the principal components of patches, divided by their standard deviations, from the largest on.

    Args:
        patches: [count, size, size, channels].

    Returns:
        Filters of a convolution: float32 [size, size, channels, directions], for all directions in which patches
        differ.
    """
    shape = patches.shape[1:]
    # In float64, so that the order of sums does not change a rounded filter.
    patches = patches.reshape(len(patches), -1).astype(np.float64)
    patches -= patches.mean(axis=0)
    # Without BLAS: its threads spin while they wait, which took seconds beside other programs.
    covariance = np.einsum("pi,pj->ij", patches, patches) / len(patches)
    variances, vectors = np.linalg.eigh(covariance)
    count = int((variances > MIN_VARIANCE * max(variances[-1], MIN_VARIANCE)).sum())
    largest = vectors[:, ::-1][:, :count] / np.sqrt(variances[::-1][:count] + REGULARIZATION)
    # The sign of an eigenvector is arbitrary.
    largest *= np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(count)])
    filters: NDArray[np.float32] = largest.astype(np.float32)
    return filters.reshape(*shape, count)

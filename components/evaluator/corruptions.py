"""Seven ways to spoil an image, each at five severities.

The idea is that of MNIST-C (N. Mu and J. Gilmer, 2019), which takes it from ImageNet-C (D. Hendrycks and
T. Dietterich, 2019). The amounts of its code (google-research/mnist-c) are used for shift, scale and noise, and for
rotation in rounder numbers. Its second blur and its second contrast bring the network of configs/mnist-fast.yaml down
to chance, though a person reads on with ease; those here end about where its begin, so that there is a curve to see.
Occlusion, which it lacks, is cutout (T. DeVries and G. Taylor, 2017) with squares of up to 12 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from components.artifacts.evaluation import SEVERITIES
from components.evaluator.robustness_config import CORRUPTION_NAMES, CorruptionName

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Images = NDArray[np.float32]
    """[count, height, width, 1], 0 to 1."""
    Spoil = Callable[[Images, float, np.random.Generator], NDArray[np.floating]]
    """From images and how much; what is random is drawn image by image, and the same whatever the amount."""

SIDE = 28
"""Amounts in pixels are those for images of this side, and grow with the side."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil images."""

    spoil: Spoil
    unit: str
    amounts: tuple[float, float, float, float, float]
    """By severity, the mildest first, in `unit`."""

    def amounts_for(self, height: int, width: int) -> tuple[float, float, float, float, float]:
        """Return the amounts for images of that many pixels."""
        if self.unit != "px":
            return self.amounts
        first, second, third, fourth, fifth = (amount * min(height, width) / SIDE for amount in self.amounts)
        return first, second, third, fourth, fifth


def corrupt(name: CorruptionName, images: Images, *, severity: int, seed: int) -> Images:
    """Return images spoilt in one way; how an image is does not depend on those that follow it.

    Args:
        name: which way.
        images: float32 [count, height, width, 1], 0 to 1, ink bright.
        severity: 1 to 5.
        seed: decides what is random in it.
    """
    corruption = CORRUPTIONS[name]
    amount = corruption.amounts_for(*images.shape[1:3])[SEVERITIES.index(severity)]
    # A stream a corruption, so that none depends on which others there are.
    random = np.random.default_rng((seed, CORRUPTION_NAMES.index(name)))
    return np.clip(corruption.spoil(images, amount, random), 0, 1).astype(np.float32)


def _shift(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    """Move each image by so many pixels, in a direction of its own."""
    angle = random.uniform(0, 2 * np.pi, len(images))
    return _resampled(images, np.eye(2)[None], amount * np.stack([np.sin(angle), np.cos(angle)], axis=1))


def _rotation(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    """Turn each image by so many degrees, to one side or the other."""
    angle = np.radians(amount) * random.choice([-1, 1], len(images))
    sine, cosine = np.sin(angle), np.cos(angle)
    return _resampled(images, np.stack([cosine, sine, -sine, cosine], axis=1).reshape(-1, 2, 2), np.zeros((1, 2)))


def _scale(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:  # noqa: ARG001
    """Draw the images so many times as large."""
    return _resampled(images, np.eye(2)[None] / amount, np.zeros((1, 2)))


def _noise(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    """Add Gaussian noise of that standard deviation."""
    noisy: NDArray[np.floating] = images + amount * random.standard_normal(images.shape, np.float32)
    return noisy


def _blur(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:  # noqa: ARG001
    """Blur with a Gaussian of that standard deviation."""
    blurred: NDArray[np.floating] = gaussian_filter(images, sigma=amount, axes=(1, 2), mode="constant")
    return blurred


def _contrast(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:  # noqa: ARG001
    """Make each pixel's distance from the image's mean so many times as large."""
    mean: NDArray[np.float32] = images.mean(axis=(1, 2, 3), keepdims=True)
    flattened: NDArray[np.floating] = mean + amount * (images - mean)
    return flattened


def _occlusion(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    """Take all ink out of an upright square, which lies anywhere within the image."""
    places = random.random((len(images), 2))
    covered = []
    for axis, side in enumerate(images.shape[1:3]):
        start = places[:, axis, None] * (side - amount)
        pixels = np.arange(side)
        # Of each row or column, the share that is under the square.
        covered.append(np.clip(np.minimum(pixels + 1, start + amount) - np.maximum(pixels, start), 0, 1))
    left: NDArray[np.floating] = images * (1 - covered[0][:, :, None, None] * covered[1][:, None, :, None])
    return left


CORRUPTIONS: dict[CorruptionName, Corruption] = {
    "shift": Corruption(_shift, "px", (1, 2, 3, 4, 5)),
    "rotation": Corruption(_rotation, "degrees", (10, 20, 30, 40, 50)),
    "scale": Corruption(_scale, "times", (0.9, 0.8, 0.7, 0.6, 0.5)),
    "noise": Corruption(_noise, "standard deviation", (0.08, 0.12, 0.18, 0.26, 0.38)),
    "blur": Corruption(_blur, "px", (0.5, 0.75, 1, 1.25, 1.5)),
    "contrast": Corruption(_contrast, "times", (0.8, 0.7, 0.6, 0.5, 0.4)),
    "occlusion": Corruption(_occlusion, "px", (4, 6, 8, 10, 12)),
}


def _resampled(images: Images, matrices: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return images drawn anew about their centres, filled with zeros, with bilinear interpolation.

    Args:
        images: float32 [count, height, width, 1].
        matrices: float64 [count or 1, 2, 2], from a place in the new image to one in the old, row before column.
        shifts: float64 [count or 1, 2], how far what is drawn moves down and to the right.
    """
    count, height, width = images.shape[:3]
    centre = (np.array([height, width]) - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).reshape(2, -1)
    places = matrices @ (grid - centre[:, None] - shifts[:, :, None]) + centre[:, None]
    # With a border of zeros, all that lies outside is on that border.
    padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1))).reshape(count, -1)
    limits = np.array([height, width])[:, None]
    places = np.broadcast_to(np.clip(places + 1, 0, limits + 1), (count, 2, height * width))
    corners = np.minimum(places.astype(np.int64), limits)
    first = corners[:, 0] * (width + 2) + corners[:, 1]
    down, right = (places - corners).astype(np.float32).transpose(1, 0, 2)

    def at(step: int) -> NDArray[np.float32]:
        return np.take_along_axis(padded, first + step, axis=1)

    upper = at(0) * (1 - right) + at(1) * right
    lower = at(width + 2) * (1 - right) + at(width + 3) * right
    blended: NDArray[np.floating] = upper * (1 - down) + lower * down
    return blended.reshape(images.shape)

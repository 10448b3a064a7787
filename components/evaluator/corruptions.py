"""Corruptions: seven ways to distort an image, each with five severities.

The idea is that of MNIST-C (N. Mu and J. Gilmer, 2019), after ImageNet-C (D. Hendrycks and T. Dietterich, 2019).
Shift, scale and noise have the amounts of its code (google-research/mnist-c), and rotation has rounder numbers. Its
second severity of blur, and of contrast, reduces the network of configs/mnist-fast.yaml to chance, although a person
still reads the digits easily. The severities here end about where those begin, so that there is a curve. MNIST-C has no
occlusion: this one is cutout (T. DeVries and G. Taylor, 2017) with squares of up to 12 pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from components.artifacts.evaluation import SEVERITIES
from components.evaluator.config import CORRUPTION_NAMES, CorruptionName

Images = NDArray[np.float32]
"""Pictures: [count, height, width, channels], 0 to 1."""
Distort = Callable[[Images, float, np.random.Generator], NDArray[np.floating]]
"""Distorts images by an amount. Random values are drawn per image, and do not depend on the amount."""
Amounts = tuple[float, float, float, float, float]
"""By severity, the mildest first."""


@dataclass(frozen=True)
class Corruption:
    """One way to distort images."""

    distort: Distort
    unit: str
    amounts: Amounts

    def amounts_for(self, height: int, width: int) -> Amounts:
        if self.unit != "px":
            return self.amounts
        # Amounts in pixels are for images of 28x28, and scale with the side.
        first, second, third, fourth, fifth = (amount * min(height, width) / 28 for amount in self.amounts)
        return first, second, third, fourth, fifth


def corrupt(name: CorruptionName, images: Images, *, severity: int, seed: int) -> Images:
    """Return corrupted images, for a severity from 1 to 5. No result depends on the images after it."""
    corruption = CORRUPTIONS[name]
    amount = corruption.amounts_for(*images.shape[1:3])[SEVERITIES.index(severity)]
    # One random stream per corruption: none depends on which others are configured.
    random = np.random.default_rng((seed, CORRUPTION_NAMES.index(name)))
    return np.clip(corruption.distort(images, amount, random), 0, 1).astype(np.float32)


def _shift(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    angles = random.uniform(0, 2 * np.pi, len(images))
    return _transform(images, np.eye(2), amount * np.stack([np.sin(angles), np.cos(angles)], axis=1))


def _rotation(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    angles = np.radians(amount) * random.choice([-1, 1], len(images))
    sine, cosine = np.sin(angles), np.cos(angles)
    return _transform(images, np.stack([cosine, sine, -sine, cosine], axis=1).reshape(-1, 2, 2), np.zeros(2))


def _scale(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:  # noqa: ARG001
    return _transform(images, np.eye(2) / amount, np.zeros(2))


def _noise(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    return np.asarray(images + amount * random.standard_normal(images.shape, np.float32))


def _blur(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:  # noqa: ARG001
    return np.asarray(gaussian_filter(images, sigma=amount, axes=(1, 2), mode="constant"))


def _contrast(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:  # noqa: ARG001
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return np.asarray(mean + amount * (images - mean))


def _occlusion(images: Images, amount: float, random: np.random.Generator) -> NDArray[np.floating]:
    """Remove all ink from a square with the side `amount`, at a random position within the image."""
    positions = random.random((len(images), 2))
    covered = []
    for axis, side in enumerate(images.shape[1:3]):
        start = positions[:, axis, None] * (side - amount)
        pixels = np.arange(side)
        # The fraction of each row or column that the square covers.
        covered.append(np.clip(np.minimum(pixels + 1, start + amount) - np.maximum(pixels, start), 0, 1))
    return np.asarray(images * (1 - covered[0][:, :, None, None] * covered[1][:, None, :, None]))


def _transform(images: Images, matrices: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return images transformed about their centers, with bilinear interpolation and a black surrounding.

    A matrix [2, 2] leads from a (row, column) in the result to one in the image; a shift [2] is down and to the right.
    Both are of all images, or of each.
    """
    matrices, shifts = np.broadcast_to(matrices, (len(images), 2, 2)), np.broadcast_to(shifts, (len(images), 2))
    center = (np.array(images.shape[1:3]) - 1) / 2
    transformed = np.empty_like(images)
    for image, matrix, shift, output in zip(images, matrices, shifts, transformed, strict=True):
        offset = center - matrix @ (center + shift)
        for channel in range(image.shape[-1]):
            affine_transform(
                image[..., channel], matrix, offset, output=output[..., channel], order=1, mode="grid-constant"
            )
    return transformed


CORRUPTIONS: dict[CorruptionName, Corruption] = {
    "shift": Corruption(_shift, "px", (1, 2, 3, 4, 5)),
    "rotation": Corruption(_rotation, "degrees", (10, 20, 30, 40, 50)),
    "scale": Corruption(_scale, "times", (0.9, 0.8, 0.7, 0.6, 0.5)),
    "noise": Corruption(_noise, "standard deviation", (0.08, 0.12, 0.18, 0.26, 0.38)),
    "blur": Corruption(_blur, "px", (0.5, 0.75, 1, 1.25, 1.5)),
    "contrast": Corruption(_contrast, "times", (0.8, 0.7, 0.6, 0.5, 0.4)),
    "occlusion": Corruption(_occlusion, "px", (4, 6, 8, 10, 12)),
}

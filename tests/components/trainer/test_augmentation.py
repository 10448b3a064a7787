"""Augmentation: off by default, within its limits, and a function of its seed."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from components.trainer.augmentation import AugmentationConfig, augment


def bars(count: int) -> NDArray[np.float32]:
    """Return images with a vertical bar in the middle."""
    images = np.zeros((count, 28, 28, 1), np.float32)
    images[:, 6:22, 12:16] = 1
    return images


def augmented(
    *, seed: tuple[int, int] = (1, 2), images: NDArray[np.float32] | None = None, **limits: Any
) -> NDArray[np.float32]:
    import tensorflow as tf

    config, images = AugmentationConfig(**limits), bars(64) if images is None else images
    result: NDArray[np.float32] = augment(config, tf.constant(images), seed=tf.constant(seed, tf.int64)).numpy()
    return result


def random_images(count: int = 64) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((count, 8, 10, 3), np.float32)


def test_zero_limits_leave_images_unchanged() -> None:
    assert AugmentationConfig().is_identity
    np.testing.assert_allclose(augmented(), bars(64), atol=1e-5)


@pytest.mark.parametrize("limit", ["rotation", "zoom", "shear", "shift"])
def test_each_limit_changes_every_image_differently(limit: str) -> None:
    config: dict[str, Any] = {limit: 15.0 if limit == "rotation" else 0.2}
    assert not AugmentationConfig(**config).is_identity
    images = augmented(**config)
    assert len({image.tobytes() for image in images}) == 64
    assert images.min() >= 0
    assert images.max() <= 1


def test_seed_determines_augmentation() -> None:
    assert np.array_equal(augmented(rotation=10.0), augmented(rotation=10.0))
    assert not np.array_equal(augmented(rotation=10.0), augmented(seed=(1, 3), rotation=10.0))


def test_shift_stays_within_limit_and_zoom_is_centered() -> None:
    def center(images: NDArray[np.float32]) -> NDArray[np.float64]:
        positions = np.arange(28)
        weights = images[..., 0] / images.sum(axis=(1, 2, 3))[:, None, None]
        return np.stack([(weights * positions[:, None]).sum(axis=(1, 2)), (weights * positions).sum(axis=(1, 2))])

    moved = np.abs(center(augmented(shift=0.1)) - 13.5)
    assert moved.max() <= 2.8 + 1e-3
    assert moved.max() > 2
    assert np.abs(center(augmented(zoom=0.2)) - 13.5).max() < 0.05
    area = augmented(zoom=0.2).sum(axis=(1, 2, 3)) / bars(1).sum()
    assert 0.8**2 - 0.1 < area.min() < 0.8
    assert 1.2 < area.max() < 1.2**2 + 0.1


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        # The new center (row, column) of a spot that was 8 pixels above the image's center, at the limit.
        ({"rotation": 30.0}, (-8 * math.cos(math.pi / 6), 8 * math.sin(math.pi / 6))),
        ({"shear": 0.25}, (-8.0, 2.0)),
        ({"zoom": 0.25}, (-10.0, 0.0)),
        ({"shift": 0.1}, (-8 + 4.1, 4.1)),
    ],
)
def test_largest_change_equals_the_limit(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, float], expected: tuple[float, float]
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.random, "stateless_uniform", lambda shape, **_: tf.ones(shape))
    image = np.zeros((1, 41, 41, 1), np.float32)
    image[0, 11:14, 19:22] = 1
    moved = augment(AugmentationConfig(**limits), tf.constant(image), seed=tf.constant((1, 2), tf.int64)).numpy()[
        0, ..., 0
    ]
    row, column = ((moved * axis).sum() / moved.sum() - 20 for axis in np.mgrid[:41, :41])
    assert (row, abs(column)) == pytest.approx((expected[0], abs(expected[1])), abs=0.15)


@pytest.mark.parametrize(
    ("flip", "axes"),
    [(["horizontal"], [(2,)]), (["vertical"], [(1,)]), (["horizontal", "vertical"], [(1,), (2,), (1, 2)])],
)
def test_half_of_the_images_are_mirrored(flip: list[str], axes: list[tuple[int, ...]]) -> None:
    images = random_images()
    mirrored = augmented(images=images, flip=flip)
    kinds = [images, *(np.flip(images, axis) for axis in axes)]
    counts = [sum(np.array_equal(a, b) for a, b in zip(mirrored, kind, strict=True)) for kind in kinds]
    assert sum(counts) == len(images)
    assert min(counts) > len(images) / len(kinds) / 2


def test_crop_moves_by_whole_pixels_within_the_border() -> None:
    images = random_images(200)
    bordered = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [bordered[:, row : row + 8, column : column + 10] for row in range(3) for column in range(3)]
    cropped = augmented(images=images, crop=1)
    counts = [sum(np.array_equal(a, b) for a, b in zip(cropped, window, strict=True)) for window in windows]
    assert sum(counts) == len(images)
    assert min(counts) > 5, "each of the nine positions occurs"


def test_brightness_and_contrast_stay_within_limits() -> None:
    images = random_images()
    brighter = augmented(images=images, brightness=0.2) - images
    assert np.ptp(brighter, axis=(1, 2, 3)).max() < 1e-6, "the same for all pixels of an image"
    added = brighter[:, 0, 0, 0]
    assert -0.2 <= added.min() < -0.1 < 0.1 < added.max() <= 0.2
    contrasted = augmented(images=images, contrast=0.5)
    np.testing.assert_allclose(contrasted.mean(axis=(1, 2)), images.mean(axis=(1, 2)), atol=1e-6)
    factors = (contrasted.std(axis=(1, 2)) / images.std(axis=(1, 2)))[:, 0]
    assert 0.5 <= factors.min() < 0.75 < 1.25 < factors.max() <= 1.5


@pytest.mark.parametrize("limits", [{"flip": ["horizontal"]}, {"crop": 2}, {"brightness": 0.1}, {"contrast": 0.1}])
def test_each_change_depends_on_the_seed_alone(limits: dict[str, Any]) -> None:
    images = random_images(16)
    config = AugmentationConfig(**limits)
    assert not config.is_identity
    assert np.array_equal(augmented(images=images, **limits), augmented(images=images, **limits))
    assert not np.array_equal(augmented(images=images, **limits), augmented(images=images, seed=(1, 3), **limits))

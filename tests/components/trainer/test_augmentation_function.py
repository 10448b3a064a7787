"""Custom augmentation: what it may return, and what is an error before the first step."""

from typing import Any

import numpy as np
import pytest

from components.base.errors import ConfigError
from components.trainer.augmentation_function import AugmentationFunction, augment_batch
from components.trainer.config import TrainerConfig

IMAGES, LABELS = np.random.default_rng(0).random((4, 6, 6, 1), np.float32), np.arange(4)


def darken(images: Any, labels: Any, seed: Any, step: Any, amount: float = 0.5) -> Any:  # noqa: ARG001
    return images * amount


def swap(images: Any, labels: Any, seed: Any, step: Any) -> Any:  # noqa: ARG001
    return images, 3 - labels


def blend(images: Any, labels: Any, seed: Any, step: Any) -> Any:
    import tensorflow as tf

    amount = tf.random.stateless_uniform([], seed=(seed, step))
    targets = tf.one_hot(labels, 4)
    return images, amount * targets + (1 - amount) * targets[::-1]


def crop(images: Any, labels: Any, seed: Any, step: Any) -> Any:  # noqa: ARG001
    return images[:, 1:]


def drop_labels(images: Any, labels: Any, seed: Any, step: Any) -> Any:  # noqa: ARG001
    return images, labels[:2]


def nothing(images: Any, labels: Any, seed: Any, step: Any) -> Any: ...


def flicker(images: Any, labels: Any, seed: Any, step: Any) -> Any:  # noqa: ARG001
    import tensorflow as tf

    return images + tf.random.uniform(())


def apply(use: Any, **options: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    function = TrainerConfig.model_validate({"augmentation": {"use": use, **options}}).augmentation
    images, labels = tf.constant(IMAGES), tf.constant(LABELS)
    result = augment_batch(function, images, labels, classes=4, seed=1, step=tf.constant(2, tf.int64))
    return result[0].numpy(), result[1].numpy()


def test_function_returns_images_or_images_and_labels() -> None:
    images, labels = apply(darken, amount=0.25)
    np.testing.assert_array_equal(images, IMAGES * np.float32(0.25))
    np.testing.assert_array_equal(labels, np.eye(4))
    np.testing.assert_array_equal(apply(swap)[1], np.eye(4)[::-1])
    images, labels = apply(blend)
    assert 0 < labels[0, 0] < 1
    np.testing.assert_allclose(labels.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        (crop, r"crop returned images of the shape \(4, 5, 6, 1\), not \(4, 6, 6, 1\)"),
        (drop_labels, r"drop_labels returned labels of the shape \(2,\), not \(4,\) or \(4, 4\)"),
        (nothing, r"nothing returned images of NoneType, not \(4, 6, 6, 1\)"),
        (flicker, "flicker returned other images for the same seed and step"),
    ],
)
def test_wrong_result_is_an_error(use: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as raised:
        AugmentationFunction(use=use).check(IMAGES, LABELS, classes=4, seed=1)
    assert raised.value.expected == "(images, labels, seed, step, **options) -> images, or (images, labels)"

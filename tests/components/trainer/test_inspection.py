"""What the model states for figures and tables: its layers, and augmented training images."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.inference.split_images import SplitImages
from components.trainer.augmentation import SEED_MASK, AugmentationConfig, augment
from components.trainer.augmented_images import FILE_NAME, write_augmented_images
from components.trainer.config import TrainerConfig
from components.trainer.layers import describe_layers


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.dense = keras.layers.Dense(4, name="dense")

    def call(self, features: Any) -> Any:
        return self.dense(features)


def test_layers_of_nested_networks_have_the_names_of_both() -> None:
    body = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="convolution")], name="body")
    images, relu = keras.Input((8, 8, 3)), keras.layers.ReLU(name="relu")
    features = keras.layers.GlobalAveragePooling2D(name="pooling")(relu(body(images)))
    network = keras.Model(images, relu(Subclassed()(features)))
    rows = [(layer.name, layer.kind, layer.output_shape, layer.parameters) for layer in describe_layers(network)]
    assert rows == [
        ("body/convolution", "Conv2D", (6, 6, 4), 112),
        ("relu", "ReLU", (6, 6, 4), 0),
        ("pooling", "GlobalAveragePooling2D", (4,), 0),
        ("subclassed/dense", "Dense", (), 20),
    ]


def training_split(side: int) -> SplitImages:
    images = np.random.default_rng(0).random((8, side, side, 1), dtype=np.float32)
    return SplitImages(images, np.array([1, 1, 0, 2, 2, 0, 1, 0]))


def test_augmented_images_are_those_of_the_first_steps(tmp_path: Path) -> None:
    train, config = training_split(12), TrainerConfig(augmentation=AugmentationConfig(rotation=30.0), seed=5)
    stated = write_augmented_images(config, train, tmp_path, classes=3)
    assert stated is not None
    assert stated.rows == (2, 0, 3), "the first image of each class"
    images = np.load(tmp_path / FILE_NAME)
    originals = train[list(stated.rows)]
    np.testing.assert_array_equal(images[:, 0], originals)
    for step in range(6):
        seen = augment(config.augmentation, originals, seed=[5 ^ SEED_MASK, step])  # type: ignore[arg-type]
        np.testing.assert_array_equal(images[:, 1 + step], seen)


@pytest.mark.parametrize("augmentation", [{}, {"rotation": 30.0, "clean_epochs": 3}])
def test_without_augmentation_no_images_are_written(tmp_path: Path, augmentation: dict[str, float]) -> None:
    config = TrainerConfig.model_validate({"augmentation": augmentation, "epochs": 3})
    assert write_augmented_images(config, training_split(12), tmp_path, classes=3) is None
    assert not list(tmp_path.iterdir())


def test_only_two_large_images_are_augmented(tmp_path: Path) -> None:
    config = TrainerConfig(augmentation=AugmentationConfig(flip=("horizontal",)))
    stated = write_augmented_images(config, training_split(400), tmp_path, classes=3)
    assert stated is not None
    assert len(stated.rows) == 2

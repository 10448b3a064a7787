"""Augmented images: some training images and their random changes, for figures."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.artifacts import AugmentedImages
from components.inference.split_images import SplitImages
from components.trainer.augmentation_function import augment_batch
from components.trainer.config import TrainerConfig

FILE_NAME = "augmented.npy"
MAX_IMAGES, VARIANTS = 10, 6
MAX_VALUES = 1_000_000
"""Of large images, there are fewer."""


def write_augmented_images(
    config: TrainerConfig, train: SplitImages, directory: Path, *, classes: int
) -> AugmentedImages | None:
    """Augment the first training image of each of the first classes as in the first training steps, and write them.

    Return None if the training has no augmentation.
    """
    if config.augmentation.is_identity or config.augmentation.clean_epochs == config.epochs:
        return None
    limit = min(MAX_IMAGES, max(2, MAX_VALUES // ((1 + VARIANTS) * train[0].size)))
    _, first_of_each_class = np.unique(train.labels, return_index=True)
    rows = first_of_each_class[:limit]
    images, labels = tf.constant(train[rows]), tf.constant(train.labels[rows])
    variants: list[Any] = []
    for step in tf.range(VARIANTS, dtype=tf.int64):
        variant, _ = augment_batch(config.augmentation, images, labels, classes=classes, seed=config.seed, step=step)
        variants.append(variant)
    np.save(directory / FILE_NAME, np.stack([images, *variants], axis=1), allow_pickle=False)
    return AugmentedImages(file=FILE_NAME, rows=tuple(rows.tolist()))

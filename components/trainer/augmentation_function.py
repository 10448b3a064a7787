"""Custom augmentation: a function that `trainer.augmentation.use` names."""

from typing import Annotated, Any

from pydantic import Field

from components.base.extension import Extension
from components.trainer.augmentation import SEED_MASK, AugmentationConfig, augment


class AugmentationFunction(Extension):
    """A custom augmentation: a TensorFlow function that changes a batch of training images, and its options.

    It receives float32 images [batch, height, width, channels], int64 labels [batch], the seed, and the step, int64,
    counted over all epochs. It returns images of the same shape, or images and labels; labels may also be
    probabilities, float32 [batch, classes]. All random values depend on seed and step:
    `tf.random.stateless_uniform(shape, seed=(seed, step))`.
    """

    arguments = ("images", "labels", "seed", "step")
    returns = "images, or (images, labels)"

    clean_epochs: Annotated[int, Field(strict=True, ge=0)] = 0
    """The number of last epochs without augmentation."""

    @property
    def is_identity(self) -> bool:
        return False

    def apply(self, images: Any, labels: Any, *, classes: int, seed: int, step: Any) -> tuple[Any, Any]:
        """Return the images and probabilities [batch, classes]; raise ConfigError if the function returns others."""
        import tensorflow as tf

        result = self(images=images, labels=labels, seed=tf.constant(seed, tf.int64), step=step)
        new_images, new_labels = result if isinstance(result, tuple) and len(result) == 2 else (result, labels)
        for name, tensor, shapes in (
            ("images", new_images, [images.shape]),
            ("labels", new_labels, [labels.shape, (*labels.shape, classes)]),
        ):
            found = getattr(tensor, "shape", None)
            if found is None or tuple(found) not in [tuple(shape) for shape in shapes]:
                expected = " or ".join(str(tuple(shape)) for shape in shapes)
                what = type(tensor).__name__ if found is None else f"the shape {tuple(found)}"
                raise self.error(f"returned {name} of {what}, not {expected}")
        if len(new_labels.shape) == 1:
            new_labels = tf.one_hot(tf.cast(new_labels, tf.int64), classes)
        return tf.cast(new_images, tf.float32), tf.cast(new_labels, tf.float32)

    def check(self, images: Any, labels: Any, *, classes: int, seed: int) -> None:
        """Call the function with some training images; raise ConfigError if it fails, or is not reproducible."""
        import numpy as np
        import tensorflow as tf

        images, labels = tf.constant(images), tf.constant(labels)
        step = tf.constant(0, tf.int64)
        one, other = (self.apply(images, labels, classes=classes, seed=seed, step=step) for _ in range(2))
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)):
            raise self.error(
                "returned other images for the same seed and step; "
                "use random functions such as tf.random.stateless_uniform(shape, seed=(seed, step))"
            )


def augment_batch(
    augmentation: AugmentationConfig | AugmentationFunction,
    images: Any,
    labels: Any,
    *,
    classes: int,
    seed: int,
    step: Any,
) -> tuple[Any, Any]:
    """Return the augmented images of a step, and their labels; those of a function are probabilities."""
    import tensorflow as tf

    if isinstance(augmentation, AugmentationFunction):
        return augmentation.apply(images, labels, classes=classes, seed=seed, step=step)
    return augment(augmentation, images, seed=tf.stack([seed ^ SEED_MASK, step])), labels

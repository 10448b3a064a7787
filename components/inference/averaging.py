"""Test-time averaging: the mean of a network's predictions over shifted copies of an image."""

from collections.abc import Callable
from typing import Any


def average_over_shifts(predict: Callable[[Any], Any], images: Any, *, shift: int) -> Any:
    """Return the mean prediction over the images and their copies shifted by up to `shift` pixels.

    Vertical and horizontal distances add up, so that a shift of 1 takes 5 predictions and a shift of 2 takes 13.
    Images are float32 [batch, height, width, channels], filled with zeros; predictions are float32 [batch, classes].
    """
    import tensorflow as tf

    if not shift:
        return predict(images)
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], [0, 0]])
    copies = [padded[:, top : top + height, left : left + width] for top, left in windows(shift)]
    return tf.add_n([predict(copy) for copy in copies]) / len(copies)


def average_over_shifts_keras(network: Any, images: Any, *, shift: int) -> Any:
    """Return the same for a KerasTensor, built from standard layers around several calls of `network`."""
    from keras import layers

    if not shift:
        return network(images)
    padded = layers.ZeroPadding2D(shift, dtype="float32", name="padding")(images)
    predictions = []
    for number, (top, left) in enumerate(windows(shift), start=1):
        rows, columns = (top, 2 * shift - top), (left, 2 * shift - left)
        moved = layers.Cropping2D((rows, columns), dtype="float32", name=f"moved_{number}")(padded)
        predictions.append(network(moved))
    return layers.Average(dtype="float32", name="average")(predictions)


def windows(shift: int) -> list[tuple[int, int]]:
    """Return top and left of each window into an image that is padded by `shift` on all sides.

    >>> windows(1)
    [(2, 1), (1, 2), (1, 1), (1, 0), (0, 1)]
    """
    steps = range(-shift, shift + 1)
    return [(shift - down, shift - right) for down in steps for right in steps if abs(down) + abs(right) <= shift]

"""Test-time averaging: a network's mean answer over an image as it is and moved a little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def average_over_shifts(answer: Callable[[Any], Any], images: Any, *, shift: int) -> Any:
    """Return the mean of `answer` over the images and the same moved by up to `shift` pixels.

    Moves up or down and to a side count together, so that there are 5 images for a shift of 1 and 13 for 2; it takes as
    many times the work of one answer.

    Args:
        answer: from images to probabilities, float32 [batch, classes].
        images: float32 tensor [batch, height, width, channels].
        shift: how far to move them at most; what comes in from outside is zero. 0 for one answer alone.
    """
    import tensorflow as tf

    if not shift:
        return answer(images)
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], [0, 0]])
    moved = [padded[:, top : top + height, left : left + width] for top, left in windows(shift)]
    return tf.add_n([answer(images) for images in moved]) / len(moved)


def average_over_shifts_keras(network: Any, images: Any, *, shift: int) -> Any:
    """Return the same for a KerasTensor, with layers that every Keras has; `network` is one, called many times."""
    from keras import layers

    if not shift:
        return network(images)
    padded = layers.ZeroPadding2D(shift, dtype="float32", name="padding")(images)
    answers = []
    for number, (top, left) in enumerate(windows(shift), start=1):
        rows, columns = (top, 2 * shift - top), (left, 2 * shift - left)
        moved = layers.Cropping2D((rows, columns), dtype="float32", name=f"moved_{number}")(padded)
        answers.append(network(moved))
    return layers.Average(dtype="float32", name="average")(answers)


def windows(shift: int) -> list[tuple[int, int]]:
    """Return top and left of each window into an image that is padded by `shift` on all sides.

    >>> windows(1)
    [(2, 1), (1, 2), (1, 1), (1, 0), (0, 1)]
    """
    steps = range(-shift, shift + 1)
    return [(shift - down, shift - right) for down in steps for right in steps if abs(down) + abs(right) <= shift]

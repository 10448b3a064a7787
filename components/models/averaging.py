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
    moves = [
        (down, right)
        for down in range(-shift, shift + 1)
        for right in range(-shift, shift + 1)
        if abs(down) + abs(right) <= shift
    ]
    moved = [padded[:, shift - y : shift - y + height, shift - x : shift - x + width] for y, x in moves]
    return tf.add_n([answer(images) for images in moved]) / len(moves)

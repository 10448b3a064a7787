"""Test-time averaging: a network's mean answer over an image as it is and moved a little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def average_over_shifts(answer: Callable[[Any], Any], images: Any, *, shift: int) -> Any:
    """Return the mean of `answer` over the images and the same moved up, down, left and right.

    It takes five times the work of one answer.

    Args:
        answer: from images to probabilities, float32 [batch, classes].
        images: float32 tensor [batch, height, width, channels].
        shift: how far to move them, in pixels; what comes in from outside is zero. 0 for one answer alone.
    """
    import tensorflow as tf

    if not shift:
        return answer(images)
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], [0, 0]])
    corners = ((shift, shift), (0, shift), (2 * shift, shift), (shift, 0), (shift, 2 * shift))
    moved = [padded[:, top : top + height, left : left + width] for top, left in corners]
    return tf.add_n([answer(images) for images in moved]) / len(corners)

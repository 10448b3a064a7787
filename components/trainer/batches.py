"""What a step is given: its number and the rows of its images, or only rows. The images are on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VALIDATION_BATCH = 500


def training_batches(rows: NDArray[np.int64], *, batch_size: int, first_step: int) -> Any:
    """Return pairs of a step's number and its rows, int64 [at most batch_size], as a tf.data.Dataset.

    Args:
        rows: in the order in which they are trained on.
        batch_size: rows a step; the last one has what is left.
        first_step: the number of the first pair.
    """
    return _batches(rows, batch_size).enumerate(start=first_step)


def validation_batches(rows: int) -> Any:
    """Return the rows from 0 on, once through, as a tf.data.Dataset."""
    return _batches(tf.range(rows, dtype=tf.int64), VALIDATION_BATCH)


def _batches(rows: Any, batch_size: int) -> Any:
    options = tf.data.Options()
    # There is nothing to tune here, and an iterator waits for the tuning thread to wake before it goes:
    # seen to take 8 of the 21 seconds of an epoch, idle (TensorFlow 2.21).
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size).with_options(options)

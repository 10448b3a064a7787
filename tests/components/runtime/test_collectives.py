"""Errors of TensorFlow in a training on several workers: those of a lost worker, and all others."""

import pytest

from components.base.cluster import Cluster
from components.base.errors import ResourceError
from components.runtime.collectives import lost_worker_errors

CLUSTER = Cluster(workers=("a:1", "b:1"), index=0, source="the test")


ABORTED = """Graph execution error:

Detected at node CollectiveReduceV2 defined at (most recent call last):
Collective ops is aborted by: cluster check alive failed, please restart
The error could be from a previous operation."""
CLOSED = """Socket closed
Additional GRPC error information from remote target /job:worker/replica:0/task:1"""


@pytest.mark.parametrize(
    ("message", "reason"),
    [(ABORTED, "cluster check alive failed, please restart"), (CLOSED, "Socket closed")],
    ids=["another operation noticed", "the connection was closed"],
)
def test_error_of_a_lost_worker_names_its_reason(message: str, reason: str) -> None:
    import tensorflow as tf

    with pytest.raises(ResourceError) as caught, lost_worker_errors(CLUSTER):
        raise tf.errors.UnavailableError(None, None, message)
    assert caught.value.headline == f"worker 0 of 2 lost the connection to another worker: {reason}"


def raise_error() -> None:
    raise KeyError("pixels")


def test_error_of_a_users_function_stays_as_it_is() -> None:
    import tensorflow as tf

    step = tf.function(lambda: tf.py_function(raise_error, [], tf.float32))
    with pytest.raises(tf.errors.UnknownError, match="pixels"), lost_worker_errors(CLUSTER):
        step()

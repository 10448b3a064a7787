"""Collective operations of TensorFlow between the workers of a cluster: start, and the errors of lost workers."""

import faulthandler
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components.base.cluster import Cluster
from components.base.errors import ResourceError, first_line
from components.runtime.tensorflow import import_tensorflow

START_SECONDS = 60
"""For TensorFlow's servers to connect, after all workers have met."""
WATCHDOG_SECONDS = START_SECONDS + 30
CHECK_SECONDS = 5
"""Between checks of the other workers."""
CHECK_TIMEOUT_SECONDS = 10
CHECK_ATTEMPTS = 2
LOST_WORKER = ("ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION", "INTERNAL", "UNAVAILABLE", "UNKNOWN")
"""Codes of TensorFlow's errors after a worker ended, stopped or became unreachable."""
START_TIMEOUT = "Timeout waiting for the cluster"
"""The beginning of TensorFlow's error after `START_SECONDS`, a RuntimeError."""


def connect_workers(tf: Any, cluster: Cluster, *, gpus: int) -> Any:
    """Start TensorFlow's server, and return the strategy that trains on all workers.

    All workers must be about to call it: it blocks until they have, and no signal interrupts it. If it blocks for
    longer than `WATCHDOG_SECONDS`, the process ends.

    Args:
        tf: TensorFlow.
        cluster: all workers.
        gpus: number of this machine's GPUs, which must be the same on all; 0 to train on the CPU.

    Raises:
        ResourceError: if the workers cannot connect.
    """
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    experimental = tf.distribute.experimental
    implementation = (
        experimental.CommunicationImplementation.AUTO if gpus else experimental.CommunicationImplementation.RING
    )
    with _watchdog(), _signal_handlers_kept(), lost_worker_errors(tf, cluster):
        _begin_anew()
        _configure_health_checks()
        return tf.distribute.MultiWorkerMirroredStrategy(
            cluster_resolver=resolver,
            communication_options=experimental.CommunicationOptions(implementation=implementation),
        )


def disconnect_workers(strategy: Any) -> None:
    """Stop checking the other workers, which may end now."""
    strategy.extended._check_health_thread_should_stop.set()


@contextmanager
def lost_worker_errors(tf: Any, cluster: Cluster) -> Iterator[None]:
    """Raise ResourceError in place of TensorFlow's error if another worker ended or is unreachable."""
    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:
        codes = {getattr(tf.errors, name) for name in LOST_WORKER}
        if getattr(error, "error_code", None) not in codes and not str(error).startswith(START_TIMEOUT):
            raise
        raise ResourceError(
            f"{cluster} lost the connection to another worker: {_reason(error)}",
            expected=f"{len(cluster.workers)} workers that run until the training is complete",
            remedy="run the same command again on all workers: training resumes from the last checkpoint",
        ) from error


def _reason(error: BaseException) -> str:
    """Return the part of TensorFlow's message that names the cause, without the graph's operations."""
    _, aborted, reason = str(error).partition("Collective ops is aborted by: ")
    return reason.strip().splitlines()[0] if aborted and reason.strip() else first_line(error)


@contextmanager
def _watchdog() -> Iterator[None]:
    """End the process if the block takes too long, also if it blocks in C++ and holds Python's lock."""
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Install the handlers of signals again after the block: TensorFlow replaces the one of SIGTERM."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, handlers)
    try:
        yield
    finally:
        try:
            for number, handler in handlers.items():
                if handler is not None:  # None: not installed by Python
                    signal.signal(number, handler)
        except ValueError:  # not the main thread
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _begin_anew() -> None:
    """Discard the state of TensorFlow if an earlier step used it: it connects to other workers at its start only."""
    from tensorflow.python.eager import context

    if context.context()._initialized:
        context._reset_context()
        import_tensorflow()  # sets the number of threads again


def _configure_health_checks() -> None:
    """Let TensorFlow notice a worker that is stopped or cut off within 20 s; by default, it needs a minute.

    TensorFlow has no public function for this (2.21).
    """
    from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
    from tensorflow.python.eager import context

    # Without its coordination service, which is not under the control of this process, and has other limits.
    context.context().configure_coordination_service(service_type="")
    CollectiveAllReduceExtended._check_health_initial_timeout = START_SECONDS
    CollectiveAllReduceExtended._check_health_interval = CHECK_SECONDS
    CollectiveAllReduceExtended._check_health_timeout = CHECK_TIMEOUT_SECONDS
    CollectiveAllReduceExtended._check_health_retry_limit = CHECK_ATTEMPTS
    logging.getLogger("tensorflow").setLevel(logging.CRITICAL)  # the error that follows has the same text

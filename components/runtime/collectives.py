"""Collective operations of TensorFlow between the workers of a cluster: connecting, and errors of lost workers."""

import faulthandler
import logging
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components.base.cluster import Cluster
from components.base.errors import JobError, ResourceError, first_line
from components.runtime.tensorflow import import_tensorflow

START_SECONDS = 60
"""Time limit for TensorFlow's servers to connect, after the rendezvous."""
WATCHDOG_SECONDS = START_SECONDS + 30
"""Time limit of `connect_workers`, after which the process ends."""
CHECK_SECONDS = 5
"""Interval between health checks of the other workers."""
CHECK_TIMEOUT_SECONDS = 10
CHECK_ATTEMPTS = 2
LOST_WORKER = re.compile(
    "Collective ops is aborted by|cluster check alive failed|Timeout waiting for the cluster"
    "|from remote target /job:worker|[Ss]ocket closed|[Cc]onnection re(set|fused)|recvmsg|NCCL"
)
"""Parts of TensorFlow's messages after a worker ended, stopped or became unreachable (2.21).

The codes of the errors do not distinguish them: UNKNOWN, INTERNAL and others are also those of a user's functions.
"""


def connect_workers(tf: Any, cluster: Cluster, *, gpus: int) -> Any:
    """Start TensorFlow's server, and return the strategy that trains on all workers.

    Call it after the rendezvous: it blocks until all workers have called it, and no signal interrupts it. If it blocks
    for longer than `WATCHDOG_SECONDS`, the process ends.

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
    with _watchdog(), _signal_handlers_restored(), lost_worker_errors(cluster):
        _reset_tensorflow()
        _configure_health_checks()
        return tf.distribute.MultiWorkerMirroredStrategy(
            cluster_resolver=resolver,
            communication_options=experimental.CommunicationOptions(implementation=implementation),
        )


def disconnect_workers(strategy: Any) -> None:
    """Stop the health checks of the other workers, which may then end."""
    strategy.extended._check_health_thread_should_stop.set()


@contextmanager
def lost_worker_errors(cluster: Cluster) -> Iterator[None]:
    """Raise ResourceError in place of TensorFlow's error if another worker ended or is unreachable."""
    try:
        yield
    except JobError:
        raise
    except Exception as error:
        if not LOST_WORKER.search(str(error)):
            raise
        raise ResourceError(
            f"{cluster} lost the connection to another worker: {_reason(error)}",
            expected=f"{len(cluster.workers)} workers that run until the training is complete",
            remedy="run the same command again on all workers: training resumes from the last checkpoint",
        ) from error


def _reason(error: BaseException) -> str:
    """Return the cause in TensorFlow's message, without the operations of the graph."""
    _, aborted, reason = str(error).partition("Collective ops is aborted by: ")
    return reason.strip().splitlines()[0] if aborted and reason.strip() else first_line(error)


@contextmanager
def _watchdog() -> Iterator[None]:
    """End the process if the block takes too long, even if C++ code holds the GIL."""
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _signal_handlers_restored() -> Iterator[None]:
    """Restore the signal handlers after the block, because TensorFlow replaces that of SIGTERM."""
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


def _reset_tensorflow() -> None:
    """Reset TensorFlow if an earlier step used it: it connects to other workers only when it initializes."""
    from tensorflow.python.eager import context

    if context.context()._initialized:
        context._reset_context()
        import_tensorflow()  # sets the number of threads again


def _configure_health_checks() -> None:
    """Make TensorFlow detect a stopped or unreachable worker within 20 s instead of a minute.

    TensorFlow 2.21 has no public function for this.
    """
    from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
    from tensorflow.python.eager import context

    # Without the coordination service, which this process does not control, and which has other time limits.
    context.context().configure_coordination_service(service_type="")
    CollectiveAllReduceExtended._check_health_initial_timeout = START_SECONDS
    CollectiveAllReduceExtended._check_health_interval = CHECK_SECONDS
    CollectiveAllReduceExtended._check_health_timeout = CHECK_TIMEOUT_SECONDS
    CollectiveAllReduceExtended._check_health_retry_limit = CHECK_ATTEMPTS
    logging.getLogger("tensorflow").setLevel(logging.CRITICAL)  # the error that is raised has the same text

"""Strategy: the devices of one or several machines that train on parts of each batch at the same time."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.base.cluster import Cluster
from components.base.component import Context
from components.runtime.cluster import require_cluster
from components.runtime.collectives import connect_workers, disconnect_workers, lost_worker_errors
from components.runtime.rendezvous import Rendezvous
from components.trainer.batch_part import BatchPart, rows_of_parts
from components.trainer.checkpoint import CheckpointStore
from components.trainer.config import TrainerConfig
from components.trainer.network_copy import copy_network
from components.trainer.part_layers import part_layer
from components.trainer.shared_checkpoint import SharedCheckpoint, decode, encode

KEYS_PER_STRATEGY = 1_000
"""Distance between the first keys of two strategies; a strategy uses one for each group of devices."""


class OneDevice:
    """One device, without a distribution strategy of TensorFlow."""

    replicated = False
    has_workers = False

    def describe(self, device: str) -> str:
        """Return all devices in one line."""
        return device

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context manager in which the variables of a network and its optimizer are created."""
        return nullcontext()

    def replicate(self, network: Any) -> Any:
        """Return the network to train, on all devices."""
        return network

    def own_rows(self, rows: NDArray[np.int64], *, batch_size: int) -> NDArray[np.int64]:
        """Return the rows that the devices of this process train on, from the rows of all batches in order."""
        del batch_size
        return rows

    def any_worker(self, flag: bool) -> bool:  # noqa: FBT001  (the value that is reduced)
        """Return whether the flag is set on any worker. All workers must call it at the same step."""
        return flag

    def broadcast_from_chief(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the values of worker 0. All workers must call it at the same step, with the same names."""
        return dict(values)

    def lost_worker_errors(self) -> AbstractContextManager[None]:
        """Return a context manager that raises ResourceError if another worker ended or is unreachable."""
        return nullcontext()

    def close(self) -> None:
        """Called after training: from now on, other workers may end."""


ONE_DEVICE = OneDevice()


class Replicas(OneDevice):
    """A replica of the network on each device of this machine."""

    replicated = True

    def __init__(self, strategy: Any) -> None:
        self.strategy = strategy

    def describe(self, device: str) -> str:
        return f"{device}, {self.strategy.num_replicas_in_sync} replicas"

    def scope(self) -> AbstractContextManager[Any]:
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    def replicate(self, network: Any) -> Any:
        """Return a copy of the network whose layers compute on parts of a batch as on the whole batch.

        Batch normalization uses the mean and variance of the whole batch, and dropout drops the same values.
        """
        with self.scope():
            return copy_network(network, part_layer)

    def run_on_parts(
        self, step: Callable[[Any, Any, BatchPart], tuple[Any, Any]], images: Any, labels: Any
    ) -> tuple[Any, Any]:
        """Run a step on the part of a batch of each replica; return the sum of the losses, and all probabilities."""

        def run(images: Any, labels: Any) -> tuple[Any, Any]:
            replica = tf.distribute.get_replica_context()
            part = BatchPart(
                tf.shape(labels)[0], replica=replica.replica_id_in_sync_group, replicas=replica.num_replicas_in_sync
            )
            with part.current():
                loss, probabilities = step(part.take(images), part.take(labels), part)
            return loss, part.own(probabilities)

        with self.scope():
            losses, probabilities = self.strategy.run(run, args=(images, labels))
            return self.strategy.reduce("SUM", losses, axis=None), self.strategy.gather(probabilities, axis=0)


class Workers(Replicas):
    """Replicas of the network on all workers of a cluster."""

    has_workers = True

    def __init__(self, strategy: Any, cluster: Cluster) -> None:
        super().__init__(strategy)
        self.cluster = cluster

    def describe(self, device: str) -> str:
        workers = len(self.cluster.workers)
        replicas = self.strategy.num_replicas_in_sync
        return f"{device}, {workers} workers" + (f", {replicas} replicas" if replicas != workers else "")

    def own_rows(self, rows: NDArray[np.int64], *, batch_size: int) -> NDArray[np.int64]:
        first = self.cluster.index * self._replicas_per_worker
        replicas = range(first, first + self._replicas_per_worker)
        return rows_of_parts(rows, batch_size, replicas, of=self.strategy.num_replicas_in_sync)

    def any_worker(self, flag: bool) -> bool:  # noqa: FBT001  (the value that is reduced)
        return bool(self._sum([float(flag)])[0] > 0)

    def broadcast_from_chief(self, values: Mapping[str, float]) -> dict[str, float]:
        own = list(values.values()) if self.cluster.is_chief else [0.0] * len(values)
        return dict(zip(values, map(float, self._sum(own)), strict=True))

    def lost_worker_errors(self) -> AbstractContextManager[None]:
        return lost_worker_errors(self.cluster)

    def close(self) -> None:
        disconnect_workers(self.strategy)

    @property
    def _replicas_per_worker(self) -> int:
        return int(self.strategy.num_replicas_in_sync) // len(self.cluster.workers)

    def _sum(self, values: list[float]) -> Any:
        """Return the sums over the workers."""
        return self._reduce(tf.constant(values, tf.float64)).numpy()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def _reduce(self, values: Any) -> Any:
        def of_first_replica() -> Any:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return values * tf.cast(replica % self._replicas_per_worker == 0, values.dtype)

        with self.scope():
            return self.strategy.reduce("SUM", self.strategy.run(of_first_replica), axis=None)


def open_devices(
    tensorflow: Any, config: TrainerConfig, context: Context, checkpoints: CheckpointStore, *, device: str
) -> tuple[OneDevice, CheckpointStore]:
    """Return the devices that a configuration selects, and the checkpoints of the training on them.

    All workers of a cluster must call it: they wait for each other, and resume from the checkpoint of worker 0.

    Raises:
        ConfigError: if there is no cluster, or its workers have different fingerprints or devices.
        ResourceError: if a worker is missing, or the workers cannot connect.
    """
    if config.strategy == "one_device":
        return ONE_DEVICE, checkpoints
    if config.strategy == "mirrored":
        kind = "CPU" if device == "CPU" else "GPU"
        devices = [each.name for each in tensorflow.config.list_logical_devices(kind)]
        return Replicas(mirror(tensorflow, devices)), checkpoints
    cluster = context.cluster or require_cluster()
    gpus = 0 if device == "CPU" else len(tensorflow.config.list_physical_devices("GPU"))
    rendezvous = Rendezvous(
        cluster=cluster,
        work=cluster_work(context.fingerprint, gpus=gpus),
        seconds=config.worker_wait_seconds,
        check=context.termination.check,
        report=context.progress.message,
    )
    with context.timed("connecting"):
        found = decode(rendezvous.meet(encode(checkpoints.newest(context.progress))))
        strategy = connect_workers(tensorflow, cluster, gpus=gpus)
    return Workers(strategy, cluster), SharedCheckpoint(found, checkpoints)


def cluster_work(fingerprint: str, *, gpus: int) -> str:
    """Return what must be the same on all workers: the training, and the number of GPUs, which is 0 on a CPU.

    Otherwise, workers choose different algorithms to add their gradients, and train on the wrong parts of a batch.
    """
    return f"{fingerprint} on {gpus} GPUs"


def mirror(tensorflow: Any, devices: Sequence[str]) -> Any:
    """Return a strategy that trains on devices of this machine; a process may create several, one after another.

    By default, the keys of collective operations begin anew in each strategy. An operation then fails if one of an
    earlier training in this process had the same key and another shape (TensorFlow 2.21).
    """
    strategies = tensorflow.distribute.MirroredStrategy
    strategies._collective_key_base += KEYS_PER_STRATEGY
    return strategies(devices)


def apply_sum(optimizer: Any, gradients: list[Any], variables: list[Any]) -> None:
    """Apply the sum of the gradients of all replicas.

    By default, Keras clips the gradients of each replica before it sums them.
    """
    pairs = [(each, variable) for each, variable in zip(gradients, variables, strict=True) if each is not None]
    replica = tf.distribute.get_replica_context()
    sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, [gradient for gradient, _ in pairs])
    optimizer._all_reduce_sum_gradients = list  # they are summed already; Keras has no public option
    optimizer.apply(sums, [variable for _, variable in pairs])

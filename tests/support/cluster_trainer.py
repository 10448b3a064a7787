"""A trainer that several workers run together, for tests of the job: it needs no TensorFlow."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from components import Context, Model, Stored, TransformedExamples
from components.base.cluster import Cluster
from components.runtime.cluster import require_cluster
from components.testing import FakeTrainer

SECONDS = 0.05


class ClusterTrainer(FakeTrainer):
    """Trains as FakeTrainer does, after all workers connected to worker 0 and have the same fingerprint."""

    def cluster(self) -> Cluster | None:
        return require_cluster()

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        assert context.cluster is not None
        context.progress.message(f"{context.cluster} meets the others")
        meet(context, context.cluster)
        assert (context.cluster.index == 0) == (context.checkpoints is not None)
        return super().run(context, transformed=transformed)


class KilledClusterTrainer(ClusterTrainer):
    """After training, worker 0 deletes the file `KILL` (an environment variable), if it exists, and kills itself."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        model = super().run(context, transformed=transformed)
        kill = Path(os.environ["KILL"])
        if context.cluster is not None and context.cluster.is_chief and kill.exists():
            kill.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return model


def meet(context: Context, cluster: Cluster) -> None:
    """Wait until all workers are connected to worker 0."""
    host, port = cluster.workers[0].rsplit(":", 1)
    with ExitStack() as stack:
        if cluster.is_chief:
            server = stack.enter_context(socket.create_server((host, int(port))))
            server.settimeout(SECONDS)
            connections: list[socket.socket] = []
            while len(connections) < len(cluster.workers) - 1:
                context.termination.check()
                try:
                    connections.append(stack.enter_context(server.accept()[0]))
                except TimeoutError:
                    continue
            for connection in connections:
                connection.settimeout(None)
                assert connection.recv(64).decode() == context.fingerprint
                connection.sendall(b"go")
            return
        while True:
            context.termination.check()
            try:
                connection = stack.enter_context(socket.create_connection((host, int(port))))
            except OSError:
                time.sleep(SECONDS)
                continue
            connection.sendall(context.fingerprint.encode())
            assert connection.recv(2) == b"go"
            return

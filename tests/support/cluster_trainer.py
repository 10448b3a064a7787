"""A trainer that several workers run together, for tests of the job: it needs no TensorFlow."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from components import Context, Model, Stored, TransformedExamples
from components.base.cluster import Cluster
from components.runtime.cluster import require_cluster
from components.testing import FakeTrainer

SECONDS = 0.05


class ClusterTrainer(FakeTrainer):
    """Trains as FakeTrainer, once all workers have met at the address of worker 0 and have the same fingerprint."""

    def cluster(self) -> Cluster | None:
        return require_cluster()

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        assert context.cluster is not None
        context.progress.message(f"{context.cluster} meets the others")
        meet(context, context.cluster)
        assert (context.cluster.index == 0) == (context.checkpoints is not None)
        return super().run(context, transformed=transformed)


class FailingClusterTrainer(ClusterTrainer):
    """Worker 0 fails after all have met, if the file `FAIL` (an environment variable) exists; it deletes the file."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        model = super().run(context, transformed=transformed)
        fail = Path(os.environ["FAIL"])
        if context.cluster is not None and context.cluster.is_chief and fail.exists():
            fail.unlink()
            raise RuntimeError("worker 0 fails")
        return model


def meet(context: Context, cluster: Cluster) -> None:
    """Return when all workers are here."""
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


def tf_config(count: int) -> list[dict[str, str]]:
    """Return the environment of each of several workers on this machine, with free ports."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        workers = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
    tasks: list[dict[str, Any]] = [{"type": "worker", "index": index} for index in range(count)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})} for task in tasks]

"""A trainer that several workers run together, for tests of the job: it needs no TensorFlow."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from components import Context, Model, Stored, TransformedExamples
from components.base.cluster import Cluster
from components.runtime.cluster import require_cluster
from components.runtime.rendezvous import Rendezvous
from components.testing import FakeTrainer

SECONDS = 120.0


class ClusterTrainer(FakeTrainer):
    """Trains as FakeTrainer does, after all workers connected to worker 0 and have the same fingerprint."""

    def cluster(self) -> Cluster | None:
        return require_cluster()

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        assert context.cluster is not None
        context.progress.message(f"{context.cluster} meets the others")
        Rendezvous(
            cluster=context.cluster,
            work=context.fingerprint,
            seconds=SECONDS,
            check=context.termination.check,
            report=context.progress.message,
        ).meet()
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

"""A finished sweep, for tests of its page."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from components.artifacts import Epoch
from job.sweep.records import SweepHead, Trial, Winner
from job.sweep.state import Sweep

PEAK, FILTERS = "trainer.learning_rate.peak", "trainer.network.filters"
SPACE = {PEAK: (0.001, 0.01, 0.1), FILTERS: ([8, 8], [16, 16]), "seed": (0, 1)}


def grid_sweep() -> Sweep:
    """Return a grid of two keys and two seeds: 11 trials finished, the last one failed."""
    trials = []
    for number, values in enumerate(itertools.product(*SPACE.values())):
        accuracy = 0.9 + 0.001 * (number * 5 % 12)
        trials.append(
            Trial(
                number=number,
                setting=number // 2,
                parameters=dict(zip(SPACE, values, strict=True)),
                state="finished",
                history=(
                    Epoch(epoch=1, loss=0.3, accuracy=0.9, val_loss=0.4, val_accuracy=accuracy, learning_rate=0.01),
                ),
                accuracy=accuracy,
                loss=1 - accuracy,
                run_ids=(f"20261129-0300{number:02}-000abcd",),
                cpu_seconds=1.5,
            )
        )
    failed = {"state": "failed", "accuracy": None, "loss": None, "failure": "the loss is <b>not</b> finite"}
    trials[-1] = trials[-1].model_copy(update=failed)
    head = SweepHead(
        id="0123456789ab",
        started=datetime(2026, 11, 29, tzinfo=UTC),
        command="python -m job sweep --config sweep.yaml",
        config={},
        sweep={"space": {key: {"choice": [*values]} for key, values in SPACE.items()}, "seed": 0},
        trial_count=len(trials),
        planned=(),
    )
    interval = {"low": 0.86, "high": 0.89, "confidence": 0.95, "method": "wilson"}
    winner = Winner(
        trial=7,
        run_id="20261129-040000-000abcd",
        exit_code=0,
        metrics={"accuracy": 0.8765, "accuracy_interval": interval},
        blessed=True,
        rubber_stamped=False,
        report="runs/20261129-040000-000abcd/report.html",
    )
    return Sweep(head, tuple(trials), winner)

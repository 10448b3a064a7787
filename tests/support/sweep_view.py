"""The view of a sweep, for tests of its page."""

from __future__ import annotations

import itertools
from dataclasses import replace

from job.reporters.sweep.page import GroupRow, SweepView, TrialRow, WinnerRow

PEAK, FILTERS = "trainer.learning_rate.peak", "trainer.network.filters"


def sweep_view() -> SweepView:
    """Return a grid of two keys and two seeds: 11 trials finished, the last one failed."""
    trials = []
    grid = itertools.product((0.001, 0.01, 0.1), ([8, 8], [16, 16]), (0, 1))
    for number, (peak, filters, seed) in enumerate(grid):
        parameters = {PEAK: peak, FILTERS: filters, "seed": seed}
        accuracy = 0.9 + 0.001 * (number * 5 % 12)
        run = f"20261129T0300{number:02}-abcd"
        row = TrialRow(number=number, state="finished", parameters=parameters, accuracy=accuracy, epochs=3, run=run)
        trials.append(row)
    trials[-1] = replace(trials[-1], state="failed", accuracy=None, reason="the loss is not finite")
    trials.sort(key=lambda trial: -(trial.accuracy or 0))
    groups = [
        GroupRow(rank=1, parameters={PEAK: 0.01, FILTERS: [8, 8]}, trials=(4, 5), mean=0.905, spread=0.001),
        GroupRow(rank=2, parameters={PEAK: 0.1, FILTERS: [16, 16]}, trials=(10, 11), mean=None, spread=None),
    ]
    winner = WinnerRow(
        parameters=groups[0].parameters,
        accuracy=0.8765,
        details=" (86.00 to 89.00 %), blessed",
        report="../../runs/20261129T040000-abcd/report.html",
    )
    return SweepView(
        id="0123456789abcdef",
        title="90.50 % validation accuracy",
        finished=True,
        counts="12 trials: 11 finished, 1 failed",
        description="A grid over two keys and two seeds.",
        trials=trials,
        groups=groups,
        winner=winner,
        command="python -m job sweep --config sweep.yaml",
    )

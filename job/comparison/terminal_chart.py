"""Learning curves of several runs on the terminal: the validation loss, one letter per run and epoch."""

from collections.abc import Sequence
from math import exp, log

from rich.console import Console
from rich.text import Text

from job.comparison.compare import ComparedRun
from job.reporters.terminal import print_line

HEIGHT = 5
MAX_WIDTH = 64
SMALLEST_LOSS = 1e-9
SEVERAL = "*"
"""Printed where the curves of several runs meet."""


def print_chart(console: Console, runs: Sequence[ComparedRun], styles: Sequence[str]) -> None:
    """Print the validation loss of each run by epoch, on a logarithmic scale; nothing if no run has two epochs."""
    curves = [[max(row.val_loss, SMALLEST_LOSS) for row in run.model.history] if run.model else [] for run in runs]
    epochs = max(map(len, curves))
    if epochs < 2:
        return
    logarithms = [log(value) for curve in curves for value in curve]
    low, high = min(logarithms), max(logarithms)
    step = max(1, min(6, MAX_WIDTH // epochs))
    columns = min(MAX_WIDTH, (epochs - 1) * step + 1)
    cells: list[list[Text]] = [[Text(" ") for _ in range(columns)] for _ in range(HEIGHT)]
    for run, style, curve in zip(runs, styles, curves, strict=True):
        for epoch, value in enumerate(curve):
            row = round((high - log(value)) / (high - low or 1) * (HEIGHT - 1))
            column = round(epoch * (columns - 1) / (epochs - 1))
            is_free = cells[row][column].plain in (" ", run.letter)
            cells[row][column] = Text(run.letter, style) if is_free else Text(SEVERAL)
    for number, row_cells in enumerate(cells):
        label = f"{exp(high):.4f}" if number == 0 else f"{exp(low):.4f}" if number == HEIGHT - 1 else ""
        line = Text(f"{label:>8} │ ").append_text(Text().join(row_cells))
        line.rstrip()
        print_line(console, line)
    print_line(console, f"[dim]{'':8} └ validation loss (logarithmic), epochs 1 to {epochs}[/]")

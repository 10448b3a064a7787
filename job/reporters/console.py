"""A run as a person sees it while it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from job.reporters.steps import STATUS_STYLE
from job.reporters.tables import print_error, print_run, summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.progress import Progress as Bars

    from components.artifacts import Epoch
    from components.base.errors import JobError
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact


class ConsoleReporter:
    """Tells a run as it goes: bars on a terminal, one line an epoch elsewhere.

    Args:
        console: where to.
        errors: where to say why it failed; by default there too.
    """

    def __init__(self, console: Console, errors: Console | None = None) -> None:
        self.console = console
        self.errors = errors or console
        self.bars: Bars | None = None
        self.task: Any = None
        self.epoch = ""
        self.epoch_began = 0.0
        self.speed = 0.0

    def begin(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        """Say which run this is."""
        root = escape(record.config["root"])
        self.console.print(f"run [bold]{record.run_id}[/]  root {root}", highlight=False, soft_wrap=True)

    def begin_step(self, slot: str) -> None:
        """Say that a step begins, where that is not said soon by its end."""
        if self.console.is_terminal:
            self.console.print(f"[dim]{slot} ...[/]", end="\r")

    def waiting(self, owner: str) -> None:
        self.message(f"waiting for run {owner}, which is producing the same artifact")

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        """Say what a step did, why, and what came out."""
        self._stop_bars()
        status = f"[{STATUS_STYLE[step.status]}]{step.status:<6}[/]"
        pushed = "" if step.published is None else f"; {escape(step.published)}"
        made = f"{escape(summary(sealed))}{pushed} [dim]({escape(step.reason)})[/]"
        self.console.print(
            f"{step.component:<12} {status} {step.seconds:6.2f} s  {made}",
            highlight=False,
            soft_wrap=True,
        )

    def message(self, text: str) -> None:
        """Say one sentence from a component."""
        self.console.print(f"  {escape(text)}", highlight=False, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Say one sentence that should not be missed."""
        self.console.print(f"[bold yellow]warning:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        """Say where training goes on."""
        self.message(f"resumed at epoch {epoch}, step {step}")

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        """Start the epoch's clock, and its bar where there is a terminal."""
        self.epoch, self.speed, self.epoch_began = f"{epoch:>{len(str(epochs))}}/{epochs}", 0.0, time.perf_counter()
        if self.console.is_terminal:
            self.bars = new_bars(self.console)
            self.task = self.bars.add_task("", total=steps, epoch=self.epoch, loss=0.0, accuracy=0.0, speed=0.0)
            self.bars.start()

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        """Move the epoch's bar on."""
        self.speed = images / max(time.perf_counter() - self.epoch_began, 1e-9)
        if self.bars is not None:
            shown: Any = {name: metrics.get(name, 0.0) for name in ("loss", "accuracy")}
            self.bars.update(self.task, completed=step, speed=self.speed, **shown)

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        """Say how the epoch went, in one line."""
        self._stop_bars()
        self.console.print(
            f"  epoch {self.epoch}"
            f"  loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}"
            f"  val_loss {metrics['val_loss']:.4f}  val_accuracy {metrics['val_accuracy']:.4f}"
            f"  {self.speed:,.0f} images/s",
            highlight=False,
            soft_wrap=True,
        )

    def end(self, record: RunRecord, directory: Path) -> None:
        """Say how the run ended: steps, metrics, verdict, and where to look."""
        self._stop_bars()
        print_run(self.console, record, directory, failure_follows=True)

    def failed(self, error: JobError, *, resume: str) -> None:
        """Say what went wrong, and how to go on."""
        print_error(self.errors, error, resume)

    def _stop_bars(self) -> None:
        if self.bars is not None:
            self.bars.stop()
            self.bars = None


def new_bars(console: Console) -> Bars:
    """Return a progress bar for one epoch: step, loss, accuracy, images a second, time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("  epoch {task.fields[epoch]}"),
        BarColumn(bar_width=24),
        TextColumn("step"),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}"),
        TextColumn("{task.fields[speed]:,.0f} images/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )

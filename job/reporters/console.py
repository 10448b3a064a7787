"""The reporter for people: progress bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from components.artifacts import Epoch
from components.base.errors import JobError
from job.reporters.tables import STATUS_STYLE, print_run, summary
from job.reporters.terminal import print_error, print_parts, print_text
from job.store.records import RunRecord, StepRecord
from job.store.store import SealedArtifact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

WIDE_COLUMNS = 110
"""A narrower terminal has no room for the progress bar beside its numbers, or for the speed of a finished epoch."""


class ConsoleReporter:
    """Prints one line per step and epoch, on a terminal also a progress bar, and the failure on `errors` if given."""

    def __init__(self, console: Console, errors: Console | None = None) -> None:
        self.console = console
        self.errors = errors or console
        self.progress: Progress | None = None
        self._task: Any = None
        self._epoch = ""
        self._epoch_started = 0.0
        self._images_per_second = 0.0

    def begin(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        print_parts(self.console, "run ", [f"[bold]{record.run_id}[/]", f"root {escape(record.config['root'])}"])

    def begin_step(self, slot: str) -> None:
        if self.console.is_terminal:
            self.console.print(f"[dim]{slot} ...[/]", end="\r")

    def waiting(self, owner: str) -> None:
        self.message(f"waiting for run {owner}, which is producing the same artifact")

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._stop_progress()
        status = f"[{STATUS_STYLE[step.status]}]{step.status:<6}[/]"
        published = "" if step.published is None else f"; {escape(step.published)}"
        description = f"{escape(summary(sealed))}{published} [dim]({escape(step.reason)})[/]"
        print_text(self.console, f"{step.component:<12} {status} {step.seconds:6.2f} s  ", description)

    def message(self, text: str) -> None:
        print_text(self.console, "  ", escape(text))

    def warning(self, text: str) -> None:
        print_text(self.console, "[bold yellow]warning:[/] ", escape(text))

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self.message(f"resumed at epoch {epoch}, step {step}")

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self._epoch = f"{epoch:>{len(str(epochs))}}/{epochs}"
        self._epoch_started, self._images_per_second = time.perf_counter(), 0.0
        if self.console.is_terminal:
            self.progress = _make_progress(self.console)
            self._task = self.progress.add_task("", total=steps, epoch=self._epoch, loss=0.0, accuracy=0.0, speed=0.0)
            self.progress.start()

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        self._images_per_second = images / max(time.perf_counter() - self._epoch_started, 1e-9)
        if self.progress is not None:
            shown: Any = {name: metrics.get(name, 0.0) for name in ("loss", "accuracy")}
            self.progress.update(self._task, completed=step, speed=self._images_per_second, **shown)

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._stop_progress()
        parts = [f"{name} {metrics[name]:.4f}" for name in ("loss", "accuracy", "val_loss", "val_accuracy")]
        if self.console.width >= WIDE_COLUMNS:
            parts.append(f"{self._images_per_second:,.0f} images/s")
        print_parts(self.console, f" epoch {self._epoch}  ", parts)

    def end(self, record: RunRecord, directory: Path) -> None:
        self._stop_progress()
        print_run(self.console, record, directory, failure_follows=True)

    def failed(self, error: JobError, *, resume: str) -> None:
        print_error(self.errors, error, resume)

    def _stop_progress(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def _make_progress(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = (BarColumn(bar_width=24), TextColumn("step")) if console.width >= WIDE_COLUMNS else ()
    return Progress(
        TextColumn(" epoch {task.fields[epoch]}"),
        *bar,
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}"),
        TextColumn("{task.fields[speed]:,.0f} images/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )

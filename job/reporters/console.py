"""The reporter for people: progress bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.control import Control
from rich.markup import escape
from rich.segment import ControlType

from components.artifacts import Epoch
from components.base.cluster import Cluster
from components.base.errors import JobError
from components.object_storage.objects import OnBytes, ignore_bytes
from job.reporters.tables import STATUS_STYLE, print_run, run_title, summary
from job.reporters.terminal import make_progress, print_error, print_line, print_parts, print_text
from job.reporters.transfers import show_transfer
from job.store.records import RunRecord, StepRecord
from job.store.sealed import SealedArtifact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

WIDE_COLUMNS = 110
"""A narrower terminal has no room for the speed of a finished epoch."""
NARROW_COLUMNS = 80
"""A narrower terminal has no room for the speed of the current epoch."""
SHOWN_METRICS = ("loss", "accuracy")
"""Beside the progress bar."""


class ConsoleReporter:
    """Prints one line per step and epoch, and the failure on `errors` if given.

    On a terminal the last line is the current part of a step, or a progress bar.
    """

    def __init__(self, console: Console, errors: Console | None = None) -> None:
        self.console = console
        self.errors = errors or console
        self.progress: Progress | None = None
        self._task: Any = None
        self._step = self._part = ""
        self._epoch = ""
        self._epoch_started = 0.0
        self._images_per_second = 0.0

    def begin(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        print_parts(self.console, "run ", [*run_title(record), f"root {escape(record.config['root'])}"])
        if record.cluster is not None:
            self._print_cluster(record.cluster.as_worker(0))

    def begin_worker(self, cluster: Cluster, root: str) -> None:
        self._print_cluster(cluster, f"root {root}")

    def begin_step(self, slot: str) -> None:
        self._step = slot

    def begin_part(self, part: str) -> None:
        self._clear_part()
        self._part = part
        self._show_part()

    def waiting(self, owner: str) -> None:
        self.message(f"waiting for run {owner}, which is producing the same artifact")

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._stop_progress()
        self._part = ""
        status = f"[{STATUS_STYLE[step.status]}]{step.status:<6}[/]"
        published = "" if step.published is None else f"; {escape(step.published)}"
        description = f"{escape(summary(sealed))}{published} [dim]({escape(step.reason)})[/]"
        print_text(self.console, f"{step.component:<12} {status} {step.seconds:6.2f} s  ", description)

    def message(self, text: str) -> None:
        self._clear_part()
        print_text(self.console, "  ", escape(text))
        self._show_part()

    def warning(self, text: str) -> None:
        self._clear_part()
        print_text(self.console, "[bold yellow]warning:[/] ", escape(text))
        self._show_part()

    @contextmanager
    def transfer(self, text: str, *, files: int, size: int) -> Iterator[OnBytes]:
        """Show a transfer, except beside the bar of an epoch."""
        if self.progress is not None:
            yield ignore_bytes
            return
        self._clear_part()
        with show_transfer(self.console, self.message, text, files, size) as on_bytes:
            yield on_bytes
        self._show_part()

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self.message(f"resumed at epoch {epoch}, step {step}")

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self._epoch = f"{epoch:>{len(str(epochs))}}/{epochs}"
        self._epoch_started, self._images_per_second = time.perf_counter(), 0.0
        if self.console.is_terminal:
            self._clear_part()
            texts = ["{task.fields[metrics]}"]
            if self.console.width >= NARROW_COLUMNS:
                texts.append("{task.fields[speed]:>6} images/s")
            self.progress = make_progress(self.console, f" epoch {self._epoch}", *texts)
            self._task = self.progress.add_task("", total=steps, metrics=_format_metrics({}), speed="-")
            self.progress.start()

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        self._images_per_second = images / max(time.perf_counter() - self._epoch_started, 1e-9)
        if self.progress is not None:
            shown: Any = {"metrics": _format_metrics(metrics), "speed": f"{self._images_per_second:,.0f}"}
            self.progress.update(self._task, completed=step, **shown)

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._stop_progress()
        parts = [f"{name} {metrics[name]:.4f}" for name in ("loss", "accuracy", "val_loss", "val_accuracy")]
        if self.console.width >= WIDE_COLUMNS:
            parts.append(f"{self._images_per_second:,.0f} images/s")
        print_parts(self.console, f" epoch {self._epoch}  ", parts)
        self._show_part()

    def end(self, record: RunRecord, directory: Path) -> None:
        self._stop_progress()
        self._part = ""
        print_run(self.console, record, directory, failure_follows=True)

    def end_worker(self, cluster: Cluster, slot: str | None) -> None:
        self._stop_progress()
        self._part = ""
        done = "nothing to do" if slot is None else f"the {slot} is complete"
        print_line(self.console, f"{cluster}: {done}; worker 0 runs all other steps")

    def failed(self, error: JobError, *, resume: str) -> None:
        print_error(self.errors, error, resume)

    def _print_cluster(self, cluster: Cluster, *more: str) -> None:
        parts = [f"found in {cluster.source}: {', '.join(cluster.workers)}", *more]
        print_parts(self.console, f"[bold]{cluster}[/] ", map(escape, parts))

    def _show_part(self) -> None:
        if self._can_show_part:
            text = f"[dim]{escape(self._step)}: {escape(self._part)} ...[/]"
            self.console.print(text, end="\r", no_wrap=True, overflow="ellipsis", highlight=False)

    def _clear_part(self) -> None:
        if self._can_show_part:
            self.console.control(Control((ControlType.ERASE_IN_LINE, 2)))

    @property
    def _can_show_part(self) -> bool:
        return bool(self._part) and self.progress is None and self.console.is_terminal

    def _stop_progress(self) -> None:
        self._clear_part()
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def _format_metrics(metrics: Mapping[str, float]) -> str:
    """Return the metrics that are shown, with a dash for one that has no value yet."""
    return "  ".join(f"{name} {f'{metrics[name]:.4f}' if name in metrics else '-':>6}" for name in SHOWN_METRICS)

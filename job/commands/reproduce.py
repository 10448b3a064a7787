"""Command `reproduce`: rebuild a run in an empty root, and compare the artifacts."""

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.base.errors import ExitCode
from job.reporters.console import ConsoleReporter
from job.reporters.terminal import (
    make_console,
    print_field,
    print_json,
    print_line,
    print_parts,
    print_path,
    print_text,
)
from job.runner.reproduction import reproduce
from job.signals import REMEDY, Signals
from job.store.pinned import OriginalRun
from job.store.rebuilt import Difference, Reproduction
from job.store.records import RunRecord
from job.store.resolve import locate_run

SHORT_DIGEST = 12
MAX_SHOWN = 4
"""Reasons, files and fields that are listed; `--json` has all."""


class StepReporter(ConsoleReporter):
    """Prints the steps of a run, but no summary: the comparison follows."""

    def begin(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        print_parts(self.console, "", [escape(str(record.note)), f"in {escape(record.config['root'])}"])

    def end(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        self._stop_progress()


def reproduce_run(name: str, root: Path, into: Path | None, signals: Signals, *, as_json: bool) -> ExitCode:
    """Rebuild a run, print whether its artifacts are identical, and return the exit code."""
    signals.shield()  # the runner interrupts its steps itself
    signals.remedy = REMEDY
    original = OriginalRun(locate_run(root, name))
    standard_output, reporter = sys.stdout, StepReporter(make_console(stderr=as_json))
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        result = reproduce(original, into, reporter, signals)
    if as_json:
        print_json(result.to_json(), standard_output)
    else:
        print_reproduction(make_console(), result)
    return ExitCode.SUCCEEDED if result.is_identical else ExitCode.BAD_DATA


def print_reproduction(console: Console, result: Reproduction) -> None:
    """Print a row for each step, and the first artifact that differs."""
    width = max(len(step.component) for step in result.steps)
    console.print()
    print_line(console, f"[dim]{'step':<{width}}  {'run':<{SHORT_DIGEST}}  rebuilt[/]")
    for step in result.steps:
        text = f"{step.component:<{width}}  {step.digest[:SHORT_DIGEST]}  "
        if step.rebuilt_digest is None:
            text += "[dim]not rebuilt[/]"
        else:
            verdict = "[green]identical[/]" if step.is_identical else "[bold red]differs[/]"
            text += f"{step.rebuilt_digest[:SHORT_DIGEST]}  {verdict}"
        print_line(console, text)
    console.print()
    if result.difference is None:
        deleted = "; the copy was deleted, --into DIR keeps it" if result.root is None else ""
        count = len(result.steps)
        text = f"the {count} artifact{'s' if count > 1 else ''} of run {result.run_id}{deleted}"
        print_text(console, "[bold green]identical:[/] ", text)
    else:
        _print_difference(console, result.difference)
    if result.root is not None:
        print_path(console, "rebuilt in", result.root)


def _print_difference(console: Console, difference: Difference) -> None:
    print_line(console, f"[bold red]differs:[/] the artifact of the step {difference.component}")
    unknown = "not known: code, configuration, inputs, libraries and machine are the same"
    for reason in _some(difference.reasons) or [unknown]:
        print_field(console, "reason", escape(reason))
    if not difference.has_original:
        print_field(console, "files", "not compared: the original artifact was deleted or damaged")
        return
    print_field(console, "files", escape(", ".join(_some(difference.files))) or "all the same")
    for change in _some(difference.fields):
        print_field(console, "field", escape(change))


def _some(values: tuple[str, ...]) -> list[str]:
    more = len(values) - MAX_SHOWN
    return [*values[:MAX_SHOWN], *([f"{more} more" + " (--json lists all)"] if more > 0 else [])]

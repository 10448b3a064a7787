"""Runs, artifacts, garbage and errors, printed for a person."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from components.artifacts import Evaluation, Examples, Figures, Model, PushedModel, TransformedExamples
from components.base.formatting import format_size
from job.reporters.steps import print_steps
from job.reporters.verdict import print_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.artifacts import Export
    from components.base.errors import JobError
    from job.commands.doctor import Diagnosis
    from job.store.gc import Collectable
    from job.store.records import RunRecord
    from job.store.store import SealedArtifact

WIDE = 1000
OUTCOME = {
    "succeeded": "[bold green]done[/]",
    "not_blessed": "[bold yellow]not blessed[/]",
    "failed": "[bold red]failed[/]",
    "terminated": "[bold yellow]ended on request[/]",
}


KILLED = "[bold red]killed[/]: it is not running any more, and could not say why; run the same command again"


def make_console(*, stderr: bool = False) -> Console:
    """Return where to print; without a terminal, lines are as long as they are."""
    console = Console(stderr=stderr, emoji=False)  # a folder may be called `:cat:`
    if not console.is_terminal:
        console.width = WIDE
    return console


def summary(sealed: SealedArtifact) -> str:
    """Return what an artifact is, in half a line."""
    match sealed.manifest.artifact:
        case Examples() as made:
            counts = " / ".join(f"{split.count:,}" for _, split in made.splits.items())
            grave = Counter(found.level for found in made.anomalies if found.level != "note")
            odd = "".join(f"; {count} {level}{'s' if count > 1 else ''}" for level, count in grave.items())
            return f"{made.source.title}: {counts} images in {len(made.class_names)} classes{odd}"
        case TransformedExamples() as made:
            return f"scaled to 0..1; {made.shared_images or 'no'} images in more than one split"
        case Model() as made:
            kept = made.best
            return (
                f"{made.parameters:,} parameters; epoch {made.best_epoch} of {len(made.history)} kept, "
                f"validation accuracy {kept.val_accuracy:.4f}"
            )
        case Evaluation() as made:
            stamped = ", rubber-stamped" if made.blessing.rubber_stamped else ""
            return f"test accuracy {made.metrics.accuracy:.4f}; {made.blessing.verdict.replace('_', ' ')}{stamped}"
        case Figures() as made:
            return f"{len(made.figures)} figure{'' if len(made.figures) == 1 else 's'}"
        case PushedModel() as made:
            size = format_size(sum(file.size for file in sealed.manifest.files))
            return f"not pushed: {made.withheld}" if made.withheld else f"{size} to be served"


def print_exports(console: Console, directory: Path, exports: Sequence[Export]) -> None:
    """Print what was exported: its form, where it is, and how far its answers are off."""
    for export in exports:
        console.print(
            f"{export.format:<12} {escape(str(directory / export.file))}  [dim](differs by at most "
            f"{export.largest_difference:.2g} from the network in memory, on {export.images} images)[/]",
            highlight=False,
            soft_wrap=True,
        )


def print_run(
    console: Console, record: RunRecord, directory: Path, *, alive: bool = True, failure_follows: bool = False
) -> None:
    """Print a run: a table of its steps, the metrics, the verdict, and the paths to look at.

    Args:
        console: where to.
        record: the run.
        directory: where its record is.
        alive: whether it goes on, if its record says that it is running.
        failure_follows: whether why it failed is printed after it anyway.
    """
    if record.steps:
        console.print()
        print_steps(console, record)
        console.print()
    if record.metrics:
        interval = record.metrics["accuracy_interval"]
        console.print(
            f"test accuracy [bold]{record.metrics['accuracy']:.4f}[/]"
            f"  (95 % interval {interval['low']:.4f} to {interval['high']:.4f}, {record.metrics['count']:,} images)"
            f"  loss {record.metrics['loss']:.4f}  macro F1 {record.metrics['macro_f1']:.4f}",
            highlight=False,
            soft_wrap=True,
        )
    print_verdict(console, record)
    for what, path in (("report", record.report), ("model card", record.model_card)):
        if path is not None:
            console.print(f"{what:<13} {escape(path)}", highlight=False, soft_wrap=True)
    made = {step.component for step in record.steps}
    for slot, what in (("visualizer", "pictures"), ("trainer", "model"), ("evaluator", "evaluation")):
        if slot in made:
            console.print(f"{what:<13} {escape(str(directory / slot))}", highlight=False, soft_wrap=True)
    for step in record.steps:
        if step.published is not None:
            console.print(f"{'servable':<13} {escape(step.published)}", highlight=False, soft_wrap=True)
    if record.withheld is not None:
        console.print(f"{'not pushed':<13} {escape(record.withheld)}", highlight=False, soft_wrap=True)
    console.print(f"{'record':<13} {escape(str(directory / 'run.json'))}", highlight=False, soft_wrap=True)
    for tool, place in record.tracking.items():
        console.print(f"{tool:<13} {escape(place)}", highlight=False, soft_wrap=True)
    if record.failure is not None and not failure_follows:
        where = f"{record.failure.component}: " if record.failure.component else ""
        console.print(f"{'failure':<13} {where}{escape(record.failure.headline)}", highlight=False, soft_wrap=True)
    training = record.training_cpu_seconds()
    cpu = "" if record.cpu_seconds is None else f", {record.cpu_seconds:.2f} CPU-s"
    cpu += "" if training is None else f", of which {training:.2f} training"
    exit_code = "" if record.exit_code is None else f", exit code {record.exit_code}"
    if record.outcome == "running":
        console.print("running" if alive else KILLED)
        return
    console.print(
        f"{OUTCOME[record.outcome]} in {record.seconds:.2f} s{cpu}{exit_code}",
        highlight=False,
    )


def print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    """Print what `doctor` found, a line each."""
    environment = diagnosis.environment
    limit = environment["memory_limit_bytes"]
    cuda = diagnosis.cuda
    rows = [
        ("mnist-job", f"{environment['version']}, revision {environment['revision'] or 'unknown'}"),
        ("python", f"{environment['python']} on {environment['platform']}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in environment["libraries"].items())),
        (
            "CUDA",
            f"TensorFlow built with {cuda['cuda']}, cuDNN {cuda['cudnn']}" if cuda else "TensorFlow built without",
        ),
        ("processors", f"{environment['cpu_limit']} of {environment['cpus']} may be used"),
        ("memory", f"at most {format_size(limit)}" if limit else "no limit"),
    ]
    for device in diagnosis.devices:
        did = device.failure or "jitted convolution right"
        rows.append((device.name, f"{device.model}: {did}, {device.seconds:.2f} s"))
    if diagnosis.no_gpu:
        rows.append(("GPU", f"none: {diagnosis.no_gpu}"))
    for place in diagnosis.places:
        free = "" if place.free_bytes is None else f"writable, {format_size(place.free_bytes)} free"
        rows.append((place.name, f"{place.path}: {place.failure or free}"))
    for label, text in rows:
        console.print(f"{label:<15} {text}", highlight=False, markup=False, soft_wrap=True)


def print_garbage(found: Sequence[Collectable], gone: Sequence[Collectable] | None) -> None:
    """Print what `gc` found, and what of it went; `gone` is None if it was only to be listed."""
    console = make_console()
    for garbage in found:
        stays = "" if gone is None or garbage in gone else "  (stays: a run needs it)"
        console.print(
            f"{garbage.kind:<11} {format_size(garbage.size):>12} {readable_age(garbage.age):>9}  {garbage.path}{stays}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    size = format_size(sum(garbage.size for garbage in (found if gone is None else gone)))
    if gone is not None:
        console.print(f"{len(gone)} deleted, {size}", highlight=False)
    elif found:
        console.print(f"{len(found)} may go, {size}; --delete deletes them", highlight=False)
    else:
        console.print("nothing may go")


def readable_age(seconds: float) -> str:
    """Return an age in the largest unit of which it has more than one.

    >>> readable_age(90), readable_age(5400), readable_age(700_000)
    ('90 s', '90 min', '8.1 d')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86400:.1f} d"


def print_error(console: Console, error: JobError, resume: str = "") -> None:
    """Print what went wrong: one sentence, what was expected, the remedy, and the command that resumes."""
    console.print(f"[bold red]error:[/] {escape(error.headline)}", highlight=False, soft_wrap=True)
    for label, text in (("expected", error.expected), ("remedy", error.remedy), ("resume", resume)):
        if text:
            console.print(f"  {label + ':':<10}{escape(text)}", highlight=False, soft_wrap=True)

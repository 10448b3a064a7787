"""Tables of a run: its steps and their durations, its metrics, its verdict, and the paths of its results."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from components.artifacts import RUBBER_STAMPED, Evaluation, Examples, Figures, Model, PushedModel, TransformedExamples
from components.artifacts.evaluation import INTERVAL_SUFFIX, METRIC_NAMES
from components.base.formatting import counted, format_size
from components.base.text import MESSAGE_LIMIT, printable
from components.base.timing import Elapsed
from components.inference.transform_graph import describe
from job.reporters.terminal import print_field, print_line, print_parts, print_path
from job.store.records import Duration, RunRecord, TimedRecord, describe_check, remaining_time
from job.store.root import address, location, root_of
from job.store.sealed import SealedArtifact

OUTCOME = {
    "succeeded": "[bold green]done[/] in",
    "not_blessed": "[bold yellow]not blessed[/], done in",
    "failed": "[bold red]failed[/] after",
    "paused": "[bold cyan]paused[/] after",
    "terminated": "[bold yellow]interrupted[/] after",
}
KILLED = "[bold red]killed[/]: the process is gone and left no reason; run the same command again"
STATUS_STYLE = {"ran": "green", "reused": "cyan", "failed": "red", "interrupted": "yellow"}
MIN_PART_SECONDS = 0.1
"""Parts of a step have a row if they take at least this long, in wall-clock or CPU time."""
OTHER = "other"
OVERHEAD = "overhead"
MAX_CHECKS_SHOWN = 12
"""If there are more checks, those that passed are only counted."""


def summary(sealed: SealedArtifact) -> str:
    """Return a short description of an artifact."""
    match sealed.manifest.artifact:
        case Examples() as examples:
            counts = " / ".join(f"{split.count:,}" for _, split in examples.splits.items())
            levels = Counter(anomaly.level for anomaly in examples.anomalies if anomaly.level != "note")
            anomalies = "".join(f"; {count} {level}{'s' if count > 1 else ''}" for level, count in levels.items())
            title = ", ".join(filter(None, (printable(examples.source.title), examples.source.conversion)))
            return f"{title}: {counts} images in {len(examples.class_names)} classes{anomalies}"
        case TransformedExamples() as transformed:
            return f"{describe(transformed.graph)}; {transformed.shared_images or 'no'} images in more than one split"
        case Model() as model:
            return (
                f"{model.parameters:,} parameters{_beginning(model)}; epoch {model.best_epoch} of "
                f"{len(model.history)} kept, validation accuracy {model.best.val_accuracy:.4f}"
            )
        case Evaluation() as evaluation:
            stamped = f", {RUBBER_STAMPED}" if evaluation.blessing.rubber_stamped else ""
            verdict = evaluation.blessing.verdict.replace("_", " ")
            return f"test accuracy {evaluation.metrics.accuracy:.4f}; {verdict}{stamped}"
        case Figures() as figures:
            return f"{len(figures.figures)} figure{'' if len(figures.figures) == 1 else 's'}"
        case PushedModel() as pushed:
            size = format_size(sum(file.size for file in sealed.manifest.files))
            return f"not pushed: {pushed.withheld}" if pushed.withheld else f"{size} to serve"
        case custom:
            values = {key: value for key, value in custom.model_dump().items() if isinstance(value, int | float)}
            named = [f"{name.replace('_', ' ')} {value:g}" for name, value in values.items()]
            return printable(": ".join(filter(None, [custom.kind, ", ".join(named)])))


def _beginning(model: Model) -> str:
    """Return which layers began with the weights of another model, or stayed as they were; empty if none did."""
    text = ""
    if model.initial_weights is not None:
        others = ", ".join(map(printable, model.initial_weights.not_loaded))
        layers = counted(len(model.initial_weights.loaded), "layer")
        text = f", {layers} from init_from{f', not {others}' if others else ''}"
    return text + (f", {len(model.frozen)} frozen" if model.frozen else "")


def run_title(record: RunRecord) -> list[str]:
    """Return the id of a run, and its name if it has one, in markup."""
    return [f"[bold]{record.run_id}[/]", *([f"[bold]{escape(record.name)}[/]"] if record.name else [])]


def print_run(
    console: Console, record: RunRecord, directory: Path, *, alive: bool = True, failure_follows: bool = False
) -> None:
    """Print the tables of a run. If it is in progress but not `alive`, it was killed. The failure may follow later."""
    if record.only is not None:
        print_field(console, "only", f"the {record.only}, on the artifacts of run {record.from_run}")
    if record.cluster is not None:
        workers = ", ".join(record.cluster.workers)
        print_field(console, "workers", escape(f"{workers}; found in {record.cluster.source}"))
    if record.note is not None:
        print_field(console, "note", escape(printable(record.note, limit=MESSAGE_LIMIT)))
    if record.steps:
        console.print()
        print_steps(console, record)
        console.print()
    if record.metrics:
        interval = record.metrics["accuracy_interval"]
        parts = [
            f"[bold]{record.metrics['accuracy']:.4f}[/]",
            f"(95 % interval {interval['low']:.4f} to {interval['high']:.4f}, {record.metrics['count']:,} images)",
            f"loss {record.metrics['loss']:.4f}",
            f"macro F1 {record.metrics['macro_f1']:.4f}",
        ]
        print_parts(console, "test accuracy ", parts)
        _print_custom_metrics(console, record.metrics)
    print_verdict(console, record)
    _print_locations(console, record, directory)
    if record.failure is not None and not failure_follows:
        step = f"{record.failure.component}: " if record.failure.component else ""
        print_field(console, "failure", f"{step}{escape(record.failure.headline)}")
    if record.outcome == "running":
        print_field(console, "outcome", "running" if alive else KILLED)
        return
    training = record.training_cpu_seconds()
    details = [f"{OUTCOME[record.outcome]} {record.seconds:.2f} s"]
    if record.cpu_seconds is not None:
        share = "" if training is None else f" ({training:.2f} in training)"
        details.append(f"{record.cpu_seconds:.2f} CPU-s{share}")
    details += [] if record.exit_code is None else [f"exit code {record.exit_code}"]
    print_line(console, ", ".join(details))


def _print_custom_metrics(console: Console, metrics: Mapping[str, Any]) -> None:
    """Print the custom metrics."""
    for name, value in metrics.items():
        if not isinstance(value, float) or name in METRIC_NAMES:
            continue
        interval = metrics.get(f"{name}{INTERVAL_SUFFIX}")
        text = f"  (95 % interval {interval['low']:.4g} to {interval['high']:.4g})" if interval else ""
        print_field(console, name, f"{value:.4g}{text}")


def _print_locations(console: Console, record: RunRecord, directory: Path) -> None:
    is_remote = root_of(directory) is not None
    for label, path in (("report", record.report), ("model card", record.model_card)):
        if path is not None:
            here = directory / Path(path).name  # the root may have been moved since the run
            print_path(console, label, address(here) if here.exists() or is_remote else path)
    finished = {step.component for step in record.steps}
    for slot, label in (("visualizer", "figures"), ("trainer", "model"), ("evaluator", "evaluation")):
        if slot in finished:
            print_path(console, label, address(directory / slot))
    for step in record.steps:
        if step.published is not None:
            print_path(console, "servable", step.published)
    if record.withheld is not None:
        print_field(console, "not pushed", escape(record.withheld))
    print_path(console, "record", location(directory / "run.json"))
    for tool, place in record.tracking.items():
        print_path(console, tool, place)


def print_steps(console: Console, record: RunRecord) -> None:
    """Print a row for each step, for each part of it that took long, and for the time outside of steps."""
    unfinished = record.unfinished_step()
    unfinished_status = "interrupted" if record.outcome == "terminated" else "failed"
    statuses = ["status", *(step.status for step in record.steps), *([unfinished_status] if unfinished else [])]
    names = [OVERHEAD, *(step.component for step in record.steps), *([unfinished] if unfinished else [])]
    name_width, status_width = max(map(len, names)), max(map(len, statuses))

    def row(name: str, status: str, duration: Duration, artifact: str = "") -> str:
        styled = f"[{STATUS_STYLE[status]}]{status:<{status_width}}[/]" if status else " " * status_width
        return f"{name:<{name_width}}  {styled}  {_format_duration(duration)}  {escape(artifact)}".rstrip()

    print_line(console, f"[dim]{'step':<{name_width}}  {'status':<{status_width}}  seconds    cpu s  artifact[/]")
    for step in record.steps:
        print_line(console, row(step.component, step.status, step, f"{step.component}/{step.fingerprint[:12]}"))
        _print_parts(console, step, name_width + status_width)
    if unfinished is not None and record.failure is not None:
        print_line(console, row(unfinished, unfinished_status, record.failure))
        _print_parts(console, record.failure, name_width + status_width)
    if record.cpu_seconds is not None:
        total = Elapsed(record.seconds, record.cpu_seconds)
        print_line(console, row(OVERHEAD, "", remaining_time(total, record.timed_records())))


def _print_parts(console: Console, timed: TimedRecord, width: int) -> None:
    for name, duration in long_parts(timed):
        print_line(console, f"[dim]  {escape(f'{name:<{width}}')}  {_format_duration(duration)}[/]")


def long_parts(timed: TimedRecord) -> Iterator[tuple[str, Duration]]:
    """Yield the parts that have a row, and last the time outside of the parts, if it is long too."""
    parts = [(part.name, part) for part in timed.parts if is_long(part)]
    yield from parts
    if parts and is_long(other := remaining_time(timed, timed.parts)):
        yield OTHER, other


def is_long(duration: Duration) -> bool:
    """Return whether a duration is long enough for a row."""
    return max(duration.seconds, duration.cpu_seconds) >= MIN_PART_SECONDS


def _format_duration(duration: Duration) -> str:
    return f"{duration.seconds:>7.2f}  {duration.cpu_seconds:>7.2f}"


def print_verdict(console: Console, record: RunRecord) -> None:
    """Print the verdict, its checks, the baseline and the worst slices, if a model was evaluated."""
    if record.blessed is None:
        return
    verdict = "[bold green]BLESSED[/]" if record.blessed else "[bold yellow]NOT BLESSED[/]"
    print_field(console, "verdict", f"{verdict}{f', {RUBBER_STAMPED}' if record.rubber_stamped else ''}")
    shows_all = len(record.checks) <= MAX_CHECKS_SHOWN
    for check in record.checks:
        if shows_all or not check["passed"]:
            print_field(console, "passed" if check["passed"] else "failed", escape(describe_check(check)))
    passed = sum(check["passed"] for check in record.checks)
    if passed and not shows_all:
        rest = "other check" if passed < len(record.checks) else "check"
        print_field(console, "passed", f"{'all ' if passed == len(record.checks) > 1 else ''}{counted(passed, rest)}")
    for step in record.steps:
        baseline, skipped = step.references.get("baseline"), step.skipped.get("baseline", {})
        if baseline or skipped:
            parts = ["none" if baseline is None else baseline.requested]
            if baseline is not None and baseline.run_id not in (None, baseline.requested):
                parts.append(f"run {baseline.run_id}")
            parts += [f"skipped {count} {reason}" for reason, count in skipped.items()]
            print_field(console, "baseline", escape(f"of the {step.component}: {', '.join(parts)}"))
    if record.worst_slices:
        worst = ", ".join(f"{printable(found['key'])} {found['accuracy']:.4f}" for found in record.worst_slices)
        print_field(console, "worst slices", escape(worst))

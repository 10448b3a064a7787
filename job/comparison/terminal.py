"""A comparison on the terminal: in 80 columns, and usually on one screen."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from components.base.text import printable
from components.html.format import counted
from job.comparison.compare import ComparedRun, RunComparison
from job.comparison.quantities import Quantity, quantities
from job.comparison.terminal_chart import print_chart
from job.reporters.terminal import print_field, print_line, print_parts
from job.store.differences import Change

MAX_REASONS, MAX_CHANGES, MAX_IDS = 4, 6, 6
"""Differences and images that are listed; the others are counted."""
STYLES = ("cyan", "magenta", "green", "yellow", "blue", "red")
"""Colors of the runs."""
SIGNIFICANCE = 0.05
MIN_NAME_WIDTH, CELL_WIDTH = 19, 10


def print_comparison(console: Console, comparisons: Sequence[RunComparison]) -> None:
    """Print what differs between the first run and each other one, their metrics, and their learning curves."""
    runs = [comparisons[0].first, *(comparison.second for comparison in comparisons)]
    for run in runs:
        record = run.record
        parts = [f"[bold]{record.run_id}[/]", *([escape(printable(record.name))] if record.name else [])]
        parts += [f"{record.started:%Y-%m-%d %H:%M}", escape(record.data_set or "no data")]
        print_parts(console, f"[{_style(run)}]{run.letter}[/]  ", parts)
    for comparison in comparisons:
        if len(comparisons) > 1:
            print_line(console, f"[bold]{_pair(comparison)}[/]")
        _print_differences(console, comparison)
    console.print()
    _print_quantities(console, comparisons, runs)
    for comparison in comparisons:
        _print_images(console, comparison)
    print_chart(console, runs, [_style(run) for run in runs])


def _style(run: ComparedRun) -> str:
    return STYLES[(ord(run.letter) - ord("A")) % len(STYLES)]


def _pair(comparison: RunComparison) -> str:
    return f"{comparison.first.letter} → {comparison.second.letter}"


def _print_differences(console: Console, comparison: RunComparison) -> None:
    same, step = [], comparison.first_difference
    if step is None:
        print_field(console, "difference", "none: all results are the same")
    elif step.result == "differs":
        print_field(console, "differs first", f"[bold]{step.component}[/]: {_some(step.reasons, MAX_REASONS, '; ')}")
    else:
        run = comparison.first if step.result == "only_first" else comparison.second
        print_field(console, "differs first", f"[bold]{step.component}[/]: only {run.letter} has it")
    shown = {f"{step.component}.{reason.removeprefix('config ')}" for reason in step.reasons} if step else set()
    differences = comparison.differences
    for label, found in (
        ("config", differences.config),
        ("code", differences.source_files),
        ("packages", differences.packages),
        ("environment", differences.environment),
    ):
        if found is None:
            print_field(console, label, "unknown: a run of an earlier version of the job does not record it")
        elif not found:
            same.append(label)
        elif label == "code":
            print_field(console, label, f"{counted(len(found), 'file')}: {_some(map(_file, found), MAX_CHANGES)}")
        elif others := [str(change) for change in found if str(change) not in shown]:
            print_field(console, label, _some(others, MAX_CHANGES, "; "))
    if comparison.same_data is None:
        print_field(console, "data", "unknown: the examples of a run are deleted or damaged")
    elif comparison.data_changes is None:
        same.append("data")
    else:
        print_field(console, "data", "; ".join(_data(comparison)))
    if same:
        print_field(console, "same", ", ".join(same))


def _file(change: Change) -> str:
    mark = " (new)" if change.before is None else " (removed)" if change.after is None else ""
    return f"{change.key}{mark}"


def _some(items: Iterable[str], limit: int, separator: str = ", ") -> str:
    listed = [escape(printable(item)) for item in items]
    more = len(listed) - limit
    return separator.join([*listed[:limit], *([f"{more} more"] if more > 0 else [])])


def _data(comparison: RunComparison) -> Iterator[str]:
    if (data := comparison.data_changes) is None:
        return
    for name, split in data.splits.items():
        counts = {"added": split.added, "removed": split.removed, "relabelled": split.relabelled}
        if listed := [f"{count:,} {change}" for change, count in counts.items() if count]:
            yield f"{name} {', '.join(listed)}"
    if data.moved:
        yield f"{data.moved:,} of these moved to another split"


def _print_quantities(console: Console, comparisons: Sequence[RunComparison], runs: Sequence[ComparedRun]) -> None:
    rows = [*quantities(comparisons)]
    width = max([MIN_NAME_WIDTH, *(len(row.name) for row in rows)])
    heads = "".join(f"[{_style(run)}]{run.letter:>{CELL_WIDTH}}[/]" for run in runs)
    compared = f"{'B − A':>{CELL_WIDTH}}  95 % interval" if len(runs) == 2 else ""
    print_line(console, f"{'':{width}}{heads}{compared}".rstrip())
    for row in rows:
        cells = "".join(f"{cell:>{CELL_WIDTH}}" for cell in row.cells)
        print_line(console, f"{escape(row.name):{width}}{cells}{_difference(row) if len(runs) == 2 else ''}".rstrip())


def _difference(row: Quantity) -> str:
    difference = row.differences[0]
    if difference is None:
        return ""
    interval = "" if difference.interval is None else f"  {difference.interval}"
    style = "bold" if difference.is_significant else ""
    text = f"{difference.value:>{CELL_WIDTH}}{interval}"
    return f"[{style}]{text}[/]" if style else text


def _print_images(console: Console, comparison: RunComparison) -> None:
    if (paired := comparison.paired) is None:
        if comparison.scored_other_images:
            print_field(console, f"{_pair(comparison)}", "other test images: the models cannot be compared by image")
        return
    ids = comparison.test_ids([found.row for found in (*paired.only_first_right, *paired.only_second_right)])
    for run, images in ((comparison.first, paired.only_first_right), (comparison.second, paired.only_second_right)):
        names = f": {_some((ids[found.row] for found in images), MAX_IDS)}" if ids and images else ""
        print_field(console, f"only {run.letter} right", f"{counted(len(images), 'image')}{names}")
    verdict = "differ" if paired.p_value < SIGNIFICANCE else "do not differ"
    print_field(console, "McNemar", f"p = {paired.p_value:.2g}: the accuracies {verdict} significantly")

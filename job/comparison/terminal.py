"""Prints a comparison on the terminal, in 80 columns."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape

from components.base.formatting import counted
from components.base.text import printable
from job.comparison.compare import ComparedRun, RunComparison, compared_runs
from job.comparison.quantities import Difference, quantities
from job.comparison.terminal_chart import print_chart
from job.comparison.wording import describe_data, describe_file, describe_first_difference
from job.reporters.terminal import print_field, print_line, print_parts

MAX_REASONS, MAX_CHANGES, MAX_IDS = 4, 6, 4
"""Maximum numbers of listed differences and images; the others are counted."""
STYLES = ("cyan", "magenta", "green", "yellow", "blue", "red")
"""Colors of the runs."""
MIN_NAME_WIDTH, CELL_WIDTH, INTERVAL_WIDTH = 19, 10, 18
MAX_COLUMNS = 6
"""Maximum number of runs in a table of 80 columns."""


def print_comparison(console: Console, comparisons: Sequence[RunComparison]) -> None:
    """Print the differences between the first run and each of the others, the metrics, and the learning curves."""
    runs = compared_runs(comparisons)
    for run in runs:
        record = run.record
        parts = [f"[bold]{record.run_id}[/]", *([escape(printable(record.name))] if record.name else [])]
        parts += [f"{record.started:%Y-%m-%d %H:%M}"]
        print_parts(console, f"[{_style(run)}]{run.letter}[/]  ", parts)
    for comparison in comparisons:
        if len(comparisons) > 1:
            print_line(console, f"[bold]{_pair(comparison)}[/]")
        _print_differences(console, comparison)
    _print_quantities(console, comparisons, runs)
    for comparison in comparisons:
        _print_images(console, comparison)
    print_chart(console, runs, [_style(run) for run in runs])


def _style(run: ComparedRun) -> str:
    return STYLES[(ord(run.letter) - ord("A")) % len(STYLES)]


def _pair(comparison: RunComparison) -> str:
    return f"{comparison.first.letter} → {comparison.second.letter}"


def _print_differences(console: Console, comparison: RunComparison) -> None:
    same, (component, reasons) = [], describe_first_difference(comparison)
    if component:
        print_field(console, "differs first", f"[bold]{escape(component)}[/]: {_some(reasons, MAX_REASONS, '; ')}")
    else:
        print_field(console, "difference", "none: all results are the same")
    shown = {f"{component}.{reason.removeprefix('config ')}" for reason in reasons}
    differences = comparison.differences
    for label, found in (
        ("config", differences.config),
        ("code", differences.source_files),
        ("packages", differences.packages),
        ("environment", differences.environment),
    ):
        if found is None:
            print_field(console, label, "unknown: one of the runs has no record of it")
        elif not found:
            same.append(label)
        elif label == "code":
            found = sorted(found, key=lambda change: f"/{component}/" not in f"/{change.key}")
            files = _some(map(describe_file, found), MAX_CHANGES)
            print_field(console, label, f"{counted(len(found), 'file')}: {files}")
        elif others := [str(change) for change in found if str(change) not in shown]:
            print_field(console, label, _some(others, MAX_CHANGES, "; "))
    if comparison.differing_splits is None:
        print_field(console, "data", "unknown: the examples of a run are deleted or damaged")
    elif comparison.data_changes is None:
        same.append("data")
    else:
        print_field(console, "data", "; ".join(describe_data(comparison)))
    if same:
        print_field(console, "same", ", ".join(same))


def _some(items: Iterable[str], limit: int, separator: str = ", ") -> str:
    listed = [escape(printable(item)) for item in items]
    more = len(listed) - limit
    return separator.join([*listed[:limit], *([f"{more} more"] if more > 0 else [])])


def _print_quantities(console: Console, comparisons: Sequence[RunComparison], runs: Sequence[ComparedRun]) -> None:
    rows, is_pair = [*quantities(comparisons)], len(comparisons) == 1
    width = max([MIN_NAME_WIDTH, *(len(row.name) for row in rows)])
    title = "test images differ" if any(each.scored_other_images for each in comparisons) else "on the test images"
    compared = _difference_heads([row.differences[0] for row in rows]) if is_pair else ""
    for first in range(0, len(runs), MAX_COLUMNS):
        columns = slice(first, first + MAX_COLUMNS)
        heads = "".join(f"[{_style(run)}]{run.letter:>{CELL_WIDTH}}[/]" for run in runs[columns])
        print_line(console, f"{title:{width}}{heads}{compared}".rstrip())
        for row in rows:
            cells = "".join(f"{cell:>{CELL_WIDTH}}" for cell in row.cells[columns])
            difference = _difference(row.differences[0]) if is_pair else ""
            print_line(console, f"{escape(f'{row.name:{width}}')}{cells}{difference}".rstrip())


def _difference_heads(differences: Iterable[Difference | None]) -> str:
    found = [difference for difference in differences if difference is not None]
    value = f"{'B − A':>{CELL_WIDTH}}" if found else ""
    interval = f"  {'95 % interval':{INTERVAL_WIDTH}}" if any(each.interval for each in found) else ""
    return f"{value}{interval}{'  McNemar' if any(each.p_value for each in found) else ''}"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    text = f"{difference.value:>{CELL_WIDTH}}  {difference.interval:{INTERVAL_WIDTH}}"
    styled = f"[bold]{text}[/]" if difference.is_significant else text
    return f"{styled}  {difference.p_value}" if difference.p_value else styled.rstrip()


def _print_images(console: Console, comparison: RunComparison) -> None:
    pair = f"{comparison.first.letter}, {comparison.second.letter}"
    if (paired := comparison.paired) is None:
        if comparison.scored_other_images:
            print_field(console, pair, "were scored on different test images: no comparison by image")
        return
    ids = comparison.test_ids([found.row for found in (*paired.only_first_right, *paired.only_second_right)])
    for run, images in ((comparison.first, paired.only_first_right), (comparison.second, paired.only_second_right)):
        names = f": {_some((ids[found.row] for found in images), MAX_IDS)}" if ids and images else ""
        of_pair = f" ({pair})" if comparison.first.letter == run.letter and comparison.second.letter != "B" else ""
        print_field(console, f"only {run.letter} right", f"{counted(len(images), 'image')}{of_pair}{names}")

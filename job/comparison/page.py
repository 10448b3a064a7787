"""A comparison as one HTML page in the style of the report."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from components.artifacts import Interval, PairedComparison
from components.base.formatting import counted
from components.base.text import escape_document
from components.html.charts import IntervalRow, Series, interval_chart, line_chart
from components.html.drawing import Chart, padded_limits
from components.html.format import (
    TextTable,
    interval_text,
    is_percentage,
    metric_title,
    metric_value,
    percent,
    points,
    short_percent,
    signed,
)
from components.html.templates import render_html
from job.comparison.compare import ComparedRun, RunComparison, compared_runs
from job.comparison.pictures import Gallery, data_galleries, test_galleries
from job.comparison.wording import (
    describe_data,
    describe_file,
    describe_first_difference,
    describe_p_value,
    describe_test,
)
from job.store.differences import Change
from job.store.root import root_of

FOLDER = Path(__file__).parent
RESULTS = {"same": "same", "differs": "differs", "only_first": "only {first}", "only_second": "only {second}"}


@dataclass(frozen=True)
class PageRun:
    """A run in the table at the top of the page."""

    run: ComparedRun
    style: int
    report: str
    """Relative link to its report; empty without one."""


@dataclass(frozen=True)
class PageComparison:
    """The content of the page for one comparison."""

    first: str
    second: str
    test: str
    component: str
    reasons: tuple[str, ...]
    tables: tuple[tuple[str, TextTable], ...]
    same: tuple[str, ...]
    data: str
    metrics: TextTable | None
    mcnemar: str
    test_galleries: tuple[Gallery, ...]
    data_galleries: tuple[Gallery, ...]


def render_comparison(comparisons: Sequence[RunComparison], folder: Path) -> str:
    """Return the comparison as a self-contained HTML document, with links to reports relative to `folder`."""
    runs = compared_runs(comparisons)
    letters = ", ".join(run.letter for run in runs[1:])
    page = render_html(
        FOLDER,
        "page.html.j2",
        title=f"{runs[0].letter} compared with {letters}",
        headline=headline(comparisons),
        runs=[PageRun(run, style, _report_link(run, folder)) for style, run in enumerate(runs, start=1)],
        runs_table=_runs_table(runs),
        accuracy_chart=_accuracy_chart(runs),
        comparisons=[_compared(comparison) for comparison in comparisons],
        curves=_curves(runs),
        steps=_steps_table(runs),
    )
    return escape_document(page)


def headline(comparisons: Sequence[RunComparison]) -> str:
    """Return the result in one sentence, without its full stop."""
    if len(comparisons) > 1:
        return f"{comparisons[0].first.letter} compared with {len(comparisons)} other runs"
    (comparison,) = comparisons
    if text := describe_test(comparison):
        return text
    component, _ = describe_first_difference(comparison)
    return f"A and B differ from the step {component} on" if component else "A and B have the same results"


def _report_link(run: ComparedRun, folder: Path) -> str:
    if run.record.report is None:
        return ""
    report = run.root / "runs" / run.record.run_id / "report.html"
    if root_of(run.root) is not None:  # a browser does not open its address
        return ""
    return quote(os.path.relpath(report.resolve(), folder.resolve())) if report.is_file() else ""


def _runs_table(runs: Sequence[ComparedRun]) -> TextTable:
    columns = ("", *(run.letter for run in runs))

    def row(name: str, cells: Sequence[str]) -> tuple[str, ...]:
        return (name, *cells)

    models = [run.model for run in runs]
    rows = [
        row("Validation accuracy", [percent(model.best.val_accuracy) if model else "" for model in models]),
        row("Validation loss", [f"{model.best.val_loss:.4f}" if model else "" for model in models]),
        row("Parameters", [f"{model.parameters:,}" if model else "" for model in models]),
        row("Epochs", [f"{len(model.history)}" if model else "" for model in models]),
    ]
    return TextTable(columns, tuple(rows))


def _accuracy_chart(runs: Sequence[ComparedRun]) -> Chart | None:
    rows = []
    for style, run in enumerate(runs, start=1):
        if run.record.metrics is not None:
            interval = Interval.model_validate(run.record.metrics["accuracy_interval"])
            rows.append(IntervalRow(run.letter, run.record.metrics["accuracy"], interval, style))
    if not rows:
        return None
    cells = tuple((row.name, percent(row.value), interval_text(row.interval)) for row in rows)
    return interval_chart(
        title="Accuracy on the test images",
        alt="Accuracy of each run on its test images, with its 95 % confidence interval.",
        rows=rows,
        table=TextTable(("", "accuracy", "interval"), cells),
    )


def _compared(comparison: RunComparison) -> PageComparison:
    component, reasons = describe_first_difference(comparison)
    first, second = comparison.first.letter, comparison.second.letter
    differences = comparison.differences
    tables, same = [], []
    for title, found in (
        ("Configuration", differences.config),
        ("Packages", differences.packages),
        ("Environment", differences.environment),
    ):
        if found:
            tables.append((title, _changes_table(found, first, second)))
        else:
            same.append(title.lower())
    if files := differences.source_files:
        rows = tuple((describe_file(change), change.before or "", change.after or "") for change in files)
        tables.append(("Source files", TextTable(("File", f"SHA-256 in {first}", f"in {second}"), rows)))
    elif files is not None:
        same.append("source files")
    paired = comparison.paired
    return PageComparison(
        first=first,
        second=second,
        test=describe_test(comparison),
        component=component,
        reasons=reasons,
        tables=(("Steps", _step_results(comparison)), *tables),
        same=tuple(same),
        data=_data(comparison),
        metrics=None if paired is None else _metrics_table(paired, first, second),
        mcnemar="" if paired is None else _mcnemar(paired, first, second),
        test_galleries=tuple(test_galleries(comparison)),
        data_galleries=tuple(data_galleries(comparison)),
    )


def _data(comparison: RunComparison) -> str:
    if comparison.differing_splits is None:
        return "The examples of a run are deleted or damaged: the data cannot be compared."
    if not comparison.differing_splits:
        return "The images and labels of all splits are the same."
    return f"{'; '.join(describe_data(comparison)) or 'The same images, in another order'}."


def _step_results(comparison: RunComparison) -> TextTable:
    letters = {"first": comparison.first.letter, "second": comparison.second.letter}
    rows = (
        (step.component, RESULTS[step.result].format(**letters), "; ".join(step.reasons)) for step in comparison.steps
    )
    return TextTable(("Step", "Result", "Differences of this step"), tuple(rows))


def _changes_table(changes: Sequence[Change], first: str, second: str) -> TextTable:
    rows = ((change.key, _text(change.before), _text(change.after)) for change in changes)
    return TextTable(("Key", first, second), tuple(rows))


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _metrics_table(paired: PairedComparison, first: str, second: str) -> TextTable:
    rows = []
    for name, found in paired.metrics.items():
        interval = found.interval
        limits = "" if interval is None else f"{_change(name, interval.low)} to {_change(name, interval.high)}"
        values = (metric_value(name, found.first), metric_value(name, found.second))
        rows.append((metric_title(name), *values, _change(name, found.difference), limits))
    return TextTable(("Metric", first, second, f"{second} − {first}", "95 % interval of the difference"), tuple(rows))


def _change(metric: str, value: float) -> str:
    return points(value) if is_percentage(metric) else signed(value, ".4f")


def _mcnemar(paired: PairedComparison, first: str, second: str) -> str:
    return (
        f"Only {first} is correct on {counted(len(paired.only_first_right), 'image')}, only {second} on "
        f"{len(paired.only_second_right):,} (McNemar’s exact test, {describe_p_value(paired.p_value)})."
    )


def _curves(runs: Sequence[ComparedRun]) -> list[Chart]:
    trained = [(style, run.letter, run.model.history) for style, run in enumerate(runs, start=1) if run.model]
    epochs = max((len(history) for _, _, history in trained), default=0)
    if not epochs:
        return []
    charts = []
    for title, name, limits in (
        ("Validation accuracy", "val_accuracy", {"minimum": 0.0, "maximum": 1.0}),
        ("Validation loss", "val_loss", {"minimum": 0.0}),
        ("Training loss", "loss", {"minimum": 0.0}),
    ):
        series = [
            Series(letter, tuple(getattr(row, name) for row in history) + (None,) * (epochs - len(history)), style)
            for style, letter, history in trained
        ]
        values = [value for each in series for value in each.values if value is not None]
        is_share = name == "val_accuracy"
        ends = (f"{letter} ends at {getattr(history[-1], name):.4f}" for _, letter, history in trained)
        charts.append(
            line_chart(
                title=title,
                alt=f"{title} by epoch; {', '.join(ends)}.",
                x=range(1, epochs + 1),
                x_name="epoch",
                series=series,
                limits=padded_limits(values, **limits),
                format_value=short_percent if is_share else "{:g}".format,
                format_cell=percent if is_share else "{:.4f}".format,
            )
        )
    return charts


def _steps_table(runs: Sequence[ComparedRun]) -> TextTable:
    slots = list(dict.fromkeys(slot for run in runs for slot in run.steps))

    def cell(run: ComparedRun, slot: str) -> str:
        step, record = run.steps.get(slot), run.producers.get(slot)
        if step is None:
            return ""
        if record is None:
            return "reused"
        seconds = f"{next(made.cpu_seconds for made in record.steps if made.component == slot):,.1f}"
        return seconds if step.status == "ran" else f"{seconds} in {letters.get(record.run_id, record.run_id)}"

    letters = {run.record.run_id: run.letter for run in reversed(runs)}
    rows = [(slot, *(cell(run, slot) for run in runs)) for slot in slots]
    rows.append(("whole run, CPU-seconds", *(f"{run.record.cpu_seconds or 0:,.1f}" for run in runs)))
    rows.append(("whole run, seconds", *(f"{run.record.seconds:,.1f}" for run in runs)))
    return TextTable(("Step", *(run.letter for run in runs)), tuple(rows))

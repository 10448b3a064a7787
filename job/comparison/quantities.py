"""Formatted numbers of compared runs: metrics with the intervals of their differences, parameters, and cost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from components.artifacts.evaluation import METRIC_NAMES
from components.html.format import metric_title
from job.comparison.compare import ComparedRun, RunComparison, compared_runs
from job.comparison.wording import describe_p_value

SHOWN = ("accuracy", "macro_f1", "loss", "calibration_error")
"""Built-in metrics in the table, in its order; JSON has all of them."""
VERDICTS = {None: "", True: "BLESSED", False: "NOT BL."}
OTHERS: tuple[tuple[str, Callable[[ComparedRun], float | None], str], ...] = (
    ("validation accuracy", lambda run: None if run.model is None else run.model.best.val_accuracy, ".4f"),
    ("parameters", lambda run: None if run.model is None else run.model.parameters, ",.0f"),
    ("epochs", lambda run: None if run.model is None else len(run.model.history), ",.0f"),
    ("training CPU-s", lambda run: run.training_cpu_seconds, ",.1f"),
    ("CPU-s of the run", lambda run: run.record.cpu_seconds, ",.1f"),
)
"""Title, value and format of the rows below the metrics."""


@dataclass(frozen=True)
class Difference:
    """The difference of a number from the first run to another one."""

    value: str
    interval: str = ""
    p_value: str = ""
    """Of McNemar's test, for the accuracy."""
    is_significant: bool = False
    """Whether the interval excludes 0."""


@dataclass(frozen=True)
class Quantity:
    """A number of each run, and its difference from the first run to each of the others."""

    name: str
    cells: tuple[str, ...]
    differences: tuple[Difference | None, ...]


def quantities(comparisons: Sequence[RunComparison]) -> Iterator[Quantity]:
    """Yield the numbers that at least one of the runs has."""
    runs = compared_runs(comparisons)
    for name in _metric_names(runs):
        cells = tuple(_formatted(_metric(run, name), ".4f") for run in runs)
        yield Quantity(metric_title(name), cells, tuple(_metric_difference(each, name) for each in comparisons))
    for title, read, spec in OTHERS:
        numbers = [read(run) for run in runs]
        if any(number is not None for number in numbers):
            differences = tuple(_difference(numbers[0], number, spec) for number in numbers[1:])
            yield Quantity(title, tuple(_formatted(number, spec) for number in numbers), differences)
    verdicts = tuple(VERDICTS[run.record.blessed] for run in runs)
    if any(verdicts):
        yield Quantity("verdict", verdicts, (None,) * len(comparisons))


def _metric_names(runs: Sequence[ComparedRun]) -> list[str]:
    names = {name for run in runs for name, value in (run.record.metrics or {}).items() if isinstance(value, float)}
    return [*(name for name in SHOWN if name in names), *sorted(names - {*METRIC_NAMES})]


def _metric(run: ComparedRun, name: str) -> float | None:
    value = (run.record.metrics or {}).get(name)
    return value if isinstance(value, float) else None


def _metric_difference(comparison: RunComparison, name: str) -> Difference | None:
    found = None if comparison.paired is None else comparison.paired.metrics.get(name)
    if comparison.paired is None or found is None or found.interval is None:
        return _difference(_metric(comparison.first, name), _metric(comparison.second, name), ".4f")
    return Difference(
        f"{found.difference:+.4f}",
        f"{found.interval.low:+.4f} to {found.interval.high:+.4f}",
        describe_p_value(comparison.paired.p_value) if name == "accuracy" else "",
        is_significant=not found.interval.low <= 0 <= found.interval.high,
    )


def _difference(before: float | None, after: float | None, spec: str) -> Difference | None:
    return None if before is None or after is None else Difference(f"{after - before:+{spec}}")


def _formatted(number: float | None, spec: str) -> str:
    return "" if number is None else f"{number:{spec}}"

"""Numbers of compared runs, as text: metrics with the interval of their difference, parameters, and cost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from components.artifacts import Interval
from components.artifacts.evaluation import METRIC_NAMES
from components.html.format import metric_title
from job.comparison.compare import ComparedRun, RunComparison

SHOWN = ("accuracy", "macro_f1", "loss", "brier_score", "calibration_error")
"""Built-in metrics, in the order of the table; macro precision and recall are in JSON and in the page."""


@dataclass(frozen=True)
class Difference:
    """The difference of a number from the first run to another one."""

    value: str
    interval: str | None = None
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
    runs = [comparisons[0].first, *(comparison.second for comparison in comparisons)]
    for name in _metric_names(runs):
        values = [_metric(run, name) for run in runs]
        differences = tuple(_metric_difference(comparison, name) for comparison in comparisons)
        yield Quantity(f"test {metric_title(name)}", tuple(map(_decimal, values)), differences)
    for title, read, spec in OTHERS:
        numbers = [read(run) for run in runs]
        if any(number is not None for number in numbers):
            cells = tuple("" if number is None else f"{number:{spec}}" for number in numbers)
            yield Quantity(title, cells, tuple(_plain_difference(numbers[0], number, spec) for number in numbers[1:]))
    verdicts = tuple(VERDICTS[run.record.blessed] for run in runs)
    yield Quantity("verdict", verdicts, (None,) * len(comparisons))


VERDICTS = {None: "", True: "BLESSED", False: "NOT BL."}


def _training_seconds(run: ComparedRun) -> float | None:
    return run.record.training_cpu_seconds()


OTHERS: tuple[tuple[str, Callable[[ComparedRun], float | None], str], ...] = (
    ("validation accuracy", lambda run: None if run.model is None else run.model.best.val_accuracy, ".4f"),
    ("validation loss", lambda run: None if run.model is None else run.model.best.val_loss, ".4f"),
    ("parameters", lambda run: None if run.model is None else run.model.parameters, ",.0f"),
    ("epochs", lambda run: None if run.model is None else len(run.model.history), ",.0f"),
    ("training CPU-s", _training_seconds, ",.1f"),
    ("CPU-s of the run", lambda run: run.record.cpu_seconds, ",.1f"),
)


def _metric_names(runs: Sequence[ComparedRun]) -> list[str]:
    names = {name for run in runs for name, value in (run.record.metrics or {}).items() if isinstance(value, float)}
    return [*(name for name in SHOWN if name in names), *sorted(names - {*METRIC_NAMES})]


def _metric(run: ComparedRun, name: str) -> float | None:
    value = (run.record.metrics or {}).get(name)
    return value if isinstance(value, float) else None


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _metric_difference(comparison: RunComparison, name: str) -> Difference | None:
    if comparison.paired is not None and (found := comparison.paired.metrics.get(name)) is not None:
        interval = found.interval
        if interval is None:
            return Difference(f"{found.difference:+.4f}")
        return Difference(f"{found.difference:+.4f}", _interval(interval), not interval.low <= 0 <= interval.high)
    return _plain_difference(_metric(comparison.first, name), _metric(comparison.second, name), ".4f")


def _interval(interval: Interval) -> str:
    return f"{interval.low:+.4f} to {interval.high:+.4f}"


def _plain_difference(before: float | None, after: float | None, spec: str) -> Difference | None:
    return None if before is None or after is None else Difference(f"{after - before:+{spec}}")

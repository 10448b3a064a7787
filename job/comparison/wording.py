"""Sentences about a comparison that the terminal and the page share."""

from collections.abc import Iterator

from components.base.formatting import counted
from components.html.format import percent, points
from job.comparison.compare import ComparedRun, RunComparison
from job.store.differences import Change

SIGNIFICANCE = 0.05
"""A difference of accuracy is significant if McNemar's p-value is below this limit."""
SMALLEST_P_VALUE = 0.001
ONLY_IN = {"only_first": "first", "only_second": "second"}


def describe_first_difference(comparison: RunComparison) -> tuple[str, tuple[str, ...]]:
    """Return the first step that differs, and the reasons; an empty string if all results are the same."""
    step = comparison.first_difference
    if step is None:
        return "", ()
    if step.result in ONLY_IN:
        run: ComparedRun = getattr(comparison, ONLY_IN[step.result])
        return step.component, (f"only {run.letter} has it",)
    return step.component, step.reasons or ("another result from the same code, config, inputs, libraries and machine",)


def describe_data(comparison: RunComparison) -> Iterator[str]:
    """Yield how many images of each split were added, removed or relabelled."""
    if (data := comparison.data_changes) is None:
        return
    for name, split in data.splits.items():
        counts = {"added": split.added, "removed": split.removed, "relabelled": split.relabelled}
        if listed := [f"{count:,} {change}" for change, count in counts.items() if count]:
            yield f"{name} {', '.join(listed)}"
    if data.moved:
        yield f"{counted(data.moved, 'image')} only moved to another split"


def describe_file(change: Change) -> str:
    """Return a source file, and whether only one of the runs has it."""
    mark = " (new)" if change.before is None else " (removed)" if change.after is None else ""
    return f"{change.key}{mark}"


def describe_p_value(p_value: float) -> str:
    """Return a p-value, such as `p = 0.12`."""
    return f"p < {SMALLEST_P_VALUE}" if p_value < SMALLEST_P_VALUE else f"p = {p_value:.2g}"


def describe_test(comparison: RunComparison) -> str:
    """Return the difference in accuracy as a sentence without its full stop; empty without a paired comparison."""
    if (paired := comparison.paired) is None:
        return ""
    first, second = comparison.first.letter, comparison.second.letter
    accuracy, differing = paired.metrics["accuracy"], len(paired.only_first_right) + len(paired.only_second_right)
    if not differing:
        return f"{first} and {second} are correct on the same test images"
    if not accuracy.difference:
        return f"{first} and {second} classify {percent(accuracy.first)} of the test images correctly, but not the same"
    points_more = f"{points(abs(accuracy.difference)).lstrip('+')} {'more' if accuracy.difference > 0 else 'fewer'}"
    significant = "significant" if paired.p_value < SIGNIFICANCE else "not significant"
    return f"{second} classifies {points_more} of the test images correctly than {first}, which is {significant}"

"""The verdict: a headline that tells the result, what led to it, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.artifacts import RUBBER_STAMPED
from components.visualizer.report.charts import Chart, IntervalRow, Table, interval_chart
from components.visualizer.report.checks import CheckRow, bounds_of, name_of, tell_checks
from components.visualizer.report.format import (
    APOSTROPHE,
    bound,
    counted,
    interval_words,
    number,
    percent,
    short_percent,
)
from components.visualizer.report.metrics import baseline_table, compare, figure_table

if TYPE_CHECKING:
    from components.artifacts import Evaluation
    from components.visualizer.report.report_data import Statements

MOST_CHECKS = 12
"""Checks that are shown at once; the failed ones come first."""


@dataclass(frozen=True)
class Verdict:
    """What the section shows."""

    blessed: bool
    stamp: str
    rubber_stamped: str
    headline: str
    standfirst: str
    scale: Chart
    figures: Table
    checks: tuple[CheckRow, ...]
    """The failed ones first."""
    other_checks: tuple[CheckRow, ...]
    """What of many is folded away."""
    baseline: str
    baseline_table: Table | None
    infra: str


def tell_verdict(story: Statements) -> Verdict:
    """Return the section; every evaluation has a verdict."""
    evaluation = story.evaluation
    blessing = evaluation.blessing
    blessed = blessing.verdict == "BLESSED"
    baseline = evaluation.baseline
    checks = tell_checks(blessing)
    return Verdict(
        blessed=blessed,
        stamp="BLESSED" if blessed else "NOT BLESSED",
        rubber_stamped=RUBBER_STAMPED if blessing.rubber_stamped else "",
        headline=headline(evaluation, story.kind_of_model),
        standfirst=standfirst(story),
        scale=_scale(evaluation),
        figures=figure_table(evaluation.metrics),
        checks=checks[:MOST_CHECKS],
        other_checks=checks[MOST_CHECKS:],
        baseline="" if baseline is None else compare(evaluation.metrics, baseline),
        baseline_table=None if baseline is None else baseline_table(evaluation.metrics, baseline),
        infra=tell_infra(evaluation),
    )


def headline(evaluation: Evaluation, kind: str) -> str:
    """Return the result in a sentence."""
    start = f"The {kind} reads {percent(evaluation.metrics.accuracy)} of unseen images right"
    if evaluation.blessing.verdict == "BLESSED":
        return f"{start}, and is blessed"
    missed = [check for check in evaluation.blessing.checks if not check.passed]
    if len(missed) != 1:
        return f"{start}, but fails {len(missed)} of {counted(len(evaluation.blessing.checks), 'check')}"
    (check,) = missed
    return f"{start}, but is not blessed: {name_of(check)} should be {bounds_of(check)}"


def standfirst(story: Statements) -> str:
    """Return what to know if one reads nothing else."""
    metrics, model = story.evaluation.metrics, story.model
    interval = metrics.accuracy_interval
    told = (
        f"A {story.kind_of_model} of {model.parameters:,} parameters, trained for "
        f"{counted(len(model.history), 'epoch')} on {counted(story.examples.splits.train.count, 'image')}, "
        f"mistook {story.mistaken:,} of {counted(metrics.count, 'test image')} that it had "
        f"never seen. With {percent(interval.confidence, 0)} confidence, it is right on {percent(interval.low)} to "
        f"{percent(interval.high)} of images such as these."
    )
    if model.test_time_shift:
        most = counted(model.test_time_shift, "pixel")
        told += f" Each answer is a mean over the image and small shifts of it, up to {most}."
    return told


def _scale(evaluation: Evaluation) -> Chart:
    """Return the accuracy and its interval, against the bound and the baseline where there is one."""
    metrics = evaluation.metrics
    asked = [
        check.minimum
        for check in evaluation.blessing.checks
        if (check.kind, check.metric, check.of) == ("value", "accuracy", "") and check.minimum is not None
    ]
    found = [("this model", metrics, 1)]
    if evaluation.baseline is not None:
        found.append(("baseline", evaluation.baseline.metrics, 2))
    rows = [
        IntervalRow(name, of.accuracy, of.accuracy_interval.low, of.accuracy_interval.high, style)
        for name, of, style in found
    ]
    table = Table(
        ("", "accuracy", "interval"),
        tuple((name, percent(of.accuracy), interval_words(of.accuracy_interval)) for name, of, _ in found),
    )
    confidence = percent(metrics.accuracy_interval.confidence, 0)
    alt = f"Accuracy on the test images, with its interval of {confidence} confidence."
    return interval_chart(
        title="Accuracy on the test images",
        alt=alt + (f" The bound is {bound('accuracy', asked[0])}." if asked else ""),
        rows=rows,
        table=table,
        form=short_percent,
        rule=asked[0] if asked else None,
        rule_name=f"asked: {bound('accuracy', asked[0])}" if asked else "",
    )


def tell_infra(evaluation: Evaluation) -> str:
    """Return what became of what is served; nothing if it was not tried."""
    found = evaluation.infra_validation
    if found is None:
        return ""
    if found.failure or found.largest_difference is None:
        return f"What is served was tried in a process of its own, and gave no answers: {found.failure}"
    return (
        f"What is served, a SavedModel of {found.size / 1e6:.1f} MB, was loaded in a process of its own and given "
        f"{counted(found.images, 'raw image')}: its probabilities differ from the model{APOSTROPHE}s by at most "
        f"{number(found.largest_difference, 'g')}, where {number(found.tolerance, 'g')} is allowed."
    )

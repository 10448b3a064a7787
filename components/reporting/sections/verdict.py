"""The verdict: a headline that tells the result, what led to it, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.artifacts import RUBBER_STAMPED
from components.reporting.charts import Chart, IntervalRow, Table, interval_chart
from components.reporting.words import (
    APOSTROPHE,
    SPACE,
    bound,
    counted,
    interval_words,
    is_share,
    listed,
    measured,
    number,
    percent,
    points,
    short_percent,
    signed,
    title_of,
)

if TYPE_CHECKING:
    from components.artifacts import Baseline, Check, Evaluation, Metrics
    from components.reporting.story import Story

MOST_CHECKS = 12
"""Checks that are shown at once; the failed ones come first."""
CERTAIN = 0.001
"""Of a p-value below it, nobody cares how far."""


@dataclass(frozen=True)
class CheckRow:
    """One condition as the table of the verdict has it."""

    name: str
    value: str
    bound: str
    passed: bool
    result: str


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


def tell_verdict(story: Story) -> Verdict:
    """Return the section; every evaluation has a verdict."""
    evaluation = story.evaluation
    blessing = evaluation.blessing
    blessed = blessing.verdict == "BLESSED"
    baseline = evaluation.baseline
    checks = [_row(check) for check in sorted(blessing.checks, key=lambda check: check.passed)]
    return Verdict(
        blessed=blessed,
        stamp="BLESSED" if blessed else "NOT BLESSED",
        rubber_stamped=RUBBER_STAMPED if blessing.rubber_stamped else "",
        headline=headline(evaluation, story.kind_of_model),
        standfirst=standfirst(story),
        scale=_scale(evaluation),
        figures=_figures(evaluation.metrics),
        checks=tuple(checks[:MOST_CHECKS]),
        other_checks=tuple(checks[MOST_CHECKS:]),
        baseline="" if baseline is None else _comparison(evaluation.metrics, baseline),
        baseline_table=None if baseline is None else _baseline_table(evaluation.metrics, baseline),
        infra=_infra(evaluation),
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
    return f"{start}, but is not blessed: {_name(check)} should be {_bounds(check)}"


def standfirst(story: Story) -> str:
    """Return what to know if one reads nothing else."""
    metrics, model = story.evaluation.metrics, story.model
    wrong = metrics.count - sum(row[label] for label, row in enumerate(story.evaluation.confusion_matrix))
    interval = metrics.accuracy_interval
    told = (
        f"A {story.kind_of_model} of {model.parameters:,} parameters, trained for "
        f"{counted(len(model.history), 'epoch')} on {counted(story.examples.splits.train.count, 'image')}, "
        f"mistook {wrong:,} of {counted(metrics.count, 'test image')} that it had "
        f"never seen. With {percent(interval.confidence, 0)} confidence, it is right on {percent(interval.low)} to "
        f"{percent(interval.high)} of images such as these."
    )
    if model.test_time_shift:
        told += f" Each answer is a mean over the image and small shifts of it, up to {model.test_time_shift} pixels."
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


def _figures(metrics: Metrics) -> Table:
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error")
    rows = [
        (title_of(name), percent(getattr(metrics, name)), interval_words(getattr(metrics, f"{name}_interval")))
        for name in names
    ]
    rows += [("loss (nats)", f"{metrics.loss:.4f}", ""), ("Brier score", f"{metrics.brier_score:.4f}", "")]
    confidence = percent(metrics.accuracy_interval.confidence, 0)
    return Table(("Figure", "Test images", f"{confidence} interval"), tuple(rows))


def _row(check: Check) -> CheckRow:
    word = "\N{CHECK MARK} passed" if check.passed else "\N{BALLOT X} failed"
    within = check.value is not None and not (
        (check.minimum is not None and check.value < check.minimum)
        or (check.maximum is not None and check.value > check.maximum)
    )
    # The paired test has a say: a small loss, or gain, may be noise.
    noise = ", within noise" if check.p_value is not None and within != check.passed else ""
    return CheckRow(_name(check), _value(check), _bounds(check), check.passed, word.replace(" ", SPACE) + noise)


def _name(check: Check) -> str:
    """Return what a check looks at, in words."""
    name = f"change of {title_of(check.metric)}" if check.kind == "change" else title_of(check.metric)
    return f"{name} of {check.of}" if check.of else name


def _value(check: Check) -> str:
    if check.value is None:
        return "not measured"
    bounds = [value for value in (check.minimum, check.maximum) if value is not None]
    told = _change(check.metric, check.value) if check.kind == "change" else measured(check.metric, check.value, bounds)
    return told if check.p_value is None else f"{told} ({p_words(check.p_value)})"


def _bounds(check: Check) -> str:
    form = _change if check.kind == "change" else bound
    sides = [("at least", check.minimum), ("at most", check.maximum)]
    return listed([f"{word} {form(check.metric, value)}" for word, value in sides if value is not None])


def _change(metric: str, value: float) -> str:
    return points(value) if is_share(metric) else signed(value, ".4g")


def p_words(p_value: float) -> str:
    """Return a p-value as papers write it."""
    told = "p < 0.001" if p_value < CERTAIN else f"p = {p_value:.3f}"
    return told.replace(" ", SPACE)


def _comparison(metrics: Metrics, baseline: Baseline) -> str:
    differing = baseline.only_model_right + baseline.only_baseline_right
    told = (
        f"The baseline reads {percent(baseline.metrics.accuracy)} of the same images right: a change of "
        f"{points(metrics.accuracy - baseline.metrics.accuracy)}. "
    )
    if not differing:
        return told + "The two are right and wrong on the very same images."
    noise = (
        "so uneven a split would be no surprise between two equally good models"
        if baseline.p_value >= baseline.significance
        else "so uneven a split would be a surprise between two equally good models"
    )
    return told + (
        f"On {counted(differing, 'image')} only one of them is right, this model on {baseline.only_model_right:,} and "
        f"the baseline on {baseline.only_baseline_right:,}; {noise} "
        f"(McNemar{APOSTROPHE}s exact test, {p_words(baseline.p_value)})."
    )


def _baseline_table(metrics: Metrics, baseline: Baseline) -> Table:
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error", "loss", "brier_score")
    rows = []
    for name in names:
        now, then = getattr(metrics, name), getattr(baseline.metrics, name)
        form = percent if is_share(name) else (lambda value: f"{value:.4f}")
        change = points(now - then) if is_share(name) else signed(now - then, ".4f")
        rows.append((title_of(name), form(now), form(then), change))
    return Table(("Figure", "This model", "Baseline", "Change"), tuple(rows))


def _infra(evaluation: Evaluation) -> str:
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

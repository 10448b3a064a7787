"""The data: what is in it, what was found odd about it, and how far it is from the baseline's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.artifacts import Anomaly, Examples, ExamplesSplit, ImageShape, TransformedExamples
from components.visualizer.report.charts import Chart, Series, Table, bar_chart, line_chart
from components.visualizer.report.format import APOSTROPHE, TIMES, counted, listed, percent, short_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

GREY = 255
NAMED = 6
"""Examples of an anomaly that are named."""


@dataclass(frozen=True)
class Finding:
    """An anomaly as it is listed."""

    level: str
    message: str
    examples: str


@dataclass(frozen=True)
class Data:
    """What the section shows."""

    told: str
    splits: Table
    charts: tuple[Chart, ...]
    findings: tuple[Finding, ...]
    overlap: str
    drift: Table | None


def tell_data(examples: Examples, transformed: TransformedExamples) -> Data:
    """Return the section."""
    return Data(
        told=tell_source(examples),
        splits=split_table(examples),
        charts=(_classes(examples), _ink(examples)),
        findings=tuple(tell_finding(anomaly) for anomaly in examples.anomalies),
        overlap=tell_overlap(transformed),
        drift=drift_table(examples),
    )


def tell_source(examples: Examples) -> str:
    """Return what the data are, and how they were divided."""
    total = sum(split.count for _, split in examples.splits.items())
    how = (
        f"the source{APOSTROPHE}s own test images stay the test images"
        if examples.strategy == "official"
        else examples.strategy
    )
    return (
        f"{examples.source.title}: {counted(total, 'image')} of {size_of(examples.image_shape)} in "
        f"{counted(len(examples.class_names), 'class', 'classes')}, divided in three ({how}; seed {examples.seed})."
    )


def size_of(shape: ImageShape) -> str:
    """Return the size of an image in words.

    >>> ascii(size_of((28, 28, 1))), ascii(size_of((8, 16, 3)))
    ("'28\\\\xd728 pixels'", "'8\\\\xd716 pixels in 3 channels'")
    """
    height, width, channels = shape
    return f"{height}{TIMES}{width} pixels" + (f" in {channels} channels" if channels > 1 else "")


def split_table(examples: Examples) -> Table:
    """Return how many images each split has, and how bright they are."""

    def row(name: str, split: ExamplesSplit) -> tuple[str, ...]:
        labels = split.label_counts
        return (
            name,
            f"{split.count:,}",
            f"{min(labels):,} to {max(labels):,}",
            f"{split.pixel_mean:.1f}",
            f"{split.pixel_std:.1f}",
        )

    columns = ("Split", "Images", "Of a class", "Mean pixel", "Deviation")
    return Table(columns, tuple(row(name, split) for name, split in examples.splits.items()))


def _series(examples: Examples, field: str) -> list[Series]:
    """Return the share of each entry of a histogram, a series a split."""
    return [
        Series(name, tuple(count / split.count for count in getattr(split, field)), style)
        for style, (name, split) in enumerate(examples.splits.items(), start=1)
    ]


def _rows(names: Sequence[str], examples: Examples, field: str) -> tuple[tuple[str, ...], ...]:
    def cell(split: ExamplesSplit, label: int) -> str:
        count = getattr(split, field)[label]
        return f"{count:,} ({percent(count / split.count, 1)})"

    splits = [split for _, split in examples.splits.items()]
    return tuple((name, *(cell(split, label) for split in splits)) for label, name in enumerate(names))


def class_table(examples: Examples) -> Table:
    """Return how many images of each class each split has."""
    columns = tuple(name for name, _ in examples.splits.items())
    return Table(("Class", *columns), _rows(examples.class_names, examples, "label_counts"))


def _classes(examples: Examples) -> Chart:
    names = examples.class_names
    return bar_chart(
        title="Share of each class",
        alt="Share of each class among the images of the training, validation and test split.",
        names=names,
        x_name="class",
        series=_series(examples, "label_counts"),
        form=short_percent,
        table=class_table(examples),
    )


def _ink(examples: Examples) -> Chart:
    steps = len(examples.splits.train.ink_histogram)
    series = _series(examples, "ink_histogram")
    used = max(n for each in series for n, value in enumerate(each.values) if value) + 1
    limits = [GREY * step / steps for step in range(steps + 1)]
    return line_chart(
        title="Ink: the mean grey value of an image",
        alt="Share of images by the mean of their pixels, for each split.",
        x=[round((limits[n] + limits[n + 1]) / 2, 1) for n in range(used)],
        x_name="mean grey value, 0 to 255",
        series=[Series(each.name, each.values[:used], each.style) for each in series],
        limits=(0.0, 1.04 * max(value or 0 for each in series for value in each.values)),
        form=short_percent,
        written=lambda value: percent(value, 1),
    )


def tell_finding(anomaly: Anomaly) -> Finding:
    """Return an anomaly as it is listed."""
    named = anomaly.examples[:NAMED]
    more = f" and {anomaly.count - len(named):,} more" if named and anomaly.count > len(named) else ""
    return Finding(anomaly.level, anomaly.message, ", ".join(named) + more if named else "")


def tell_overlap(transformed: TransformedExamples) -> str:
    """Return how many images stand in two splits."""
    pairs = [overlap for overlap in transformed.overlaps if overlap.images]
    if not pairs:
        return "No image stands in two splits."
    found = [f"{counted(pair.images, 'image')} in both {pair.splits[0]} and {pair.splits[1]}" for pair in pairs]
    return f"The same to the last pixel: {listed(found)}."


def drift_table(examples: Examples) -> Table | None:
    """Return how far each distribution is from the baseline's; None without a baseline."""
    if examples.drift is None:
        return None
    rows = tuple(
        (
            f"{measure.of}, {measure.split}",
            f"{measure.distance:.4f}",
            f"{measure.limit:g}",
            measure.method,
            "drift" if measure.drifted else "no drift",
        )
        for measure in examples.drift.measures
    )
    return Table(("Distribution", "Distance", "Limit", "Method", "Result"), rows)

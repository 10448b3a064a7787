"""The data: splits, classes, anomalies, and drift from the baseline's data."""

from collections.abc import Callable

from markupsafe import Markup

from components.artifacts import Anomaly, Examples, ExamplesSplit, TransformedExamples
from components.base.formatting import counted
from components.html.charts import Series, bar_chart, line_chart
from components.html.drawing import Chart
from components.html.format import TextTable, image_size, listed, percent, short_percent
from components.inference.transform_graph import describe, input_graph
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_data(report: ReportData) -> Markup:
    examples = report.examples
    return render_section(
        "data",
        summary=f"{dataset_text(examples)} {operations_text(report.transformed)}".rstrip(),
        splits=split_table(examples),
        charts=(_class_chart(examples), _gray_level_chart(examples)),
        overlap=overlap_text(report.transformed),
        anomalies=examples.anomalies,
        anomaly_examples=anomaly_examples,
        drift=drift_table(examples),
    )


def dataset_text(examples: Examples) -> str:
    """Return what the data are and how they are split."""
    images = counted(sum(split.count for _, split in examples.splits.items()), "image")
    strategy = (
        "the source’s own test images are the test split" if examples.strategy == "official" else examples.strategy
    )
    conversion = f" The images were {examples.source.conversion}." if examples.source.conversion else ""
    return (
        f"{examples.source.title}: {images} of {image_size(examples.image_shape)} in "
        f"{counted(len(examples.class_names), 'class', 'classes')}, divided into three splits ({strategy}; seed "
        f"{examples.seed}).{conversion}"
    )


def operations_text(transformed: TransformedExamples) -> str:
    """Return how an image becomes the network's input; empty if it is only scaled."""
    graph = transformed.graph
    return f"The network’s input is the image {describe(graph)}." if input_graph(graph) else ""


def split_table(examples: Examples) -> TextTable:
    """Return the size and brightness of each split."""

    def row(name: str, split: ExamplesSplit) -> tuple[str, ...]:
        labels = f"{min(split.label_counts):,} to {max(split.label_counts):,}"
        return name, f"{split.count:,}", labels, f"{split.pixel_mean:.1f}", f"{split.pixel_std:.1f}"

    columns = ("Split", "Images", "Images per class", "Mean pixel", "Standard deviation")
    return TextTable(columns, tuple(row(name, split) for name, split in examples.splits.items()))


def class_table(examples: Examples) -> TextTable:
    """Return the number and share of images of each class in each split."""
    splits = examples.splits.items()

    def cell(split: ExamplesSplit, label: int) -> str:
        return f"{split.label_counts[label]:,} ({percent(split.label_counts[label] / split.count, 1)})"

    rows = ((name, *(cell(split, label) for _, split in splits)) for label, name in enumerate(examples.class_names))
    return TextTable(("Class", *(name for name, _ in splits)), tuple(rows))


def overlap_text(transformed: TransformedExamples) -> str:
    """Return how many identical images are in two splits."""
    pairs = [
        f"{counted(overlap.images, 'image')} in both {overlap.splits[0]} and {overlap.splits[1]}"
        for overlap in transformed.overlaps
        if overlap.images
    ]
    return f"Identical images in two splits: {listed(pairs)}." if pairs else "No image is in more than one split."


def anomaly_examples(anomaly: Anomaly) -> str:
    """Return the first images with an anomaly; empty if the anomaly names none."""
    shown = anomaly.examples[:6]
    more = f" and {anomaly.count - len(shown):,} more" if shown and anomaly.count > len(shown) else ""
    return ", ".join(shown) + more


def drift_table(examples: Examples) -> TextTable | None:
    """Return the distance of each distribution from the baseline's; None without a baseline."""
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
    return TextTable(("Distribution", "Distance", "Limit", "Method", "Result"), rows)


def _class_chart(examples: Examples) -> Chart:
    return bar_chart(
        title="Class distribution",
        alt="Share of each class in the training, validation and test split.",
        names=examples.class_names,
        x_name="class",
        series=_shares(examples, lambda split: split.label_counts),
        format_value=short_percent,
        table=class_table(examples),
    )


def _gray_level_chart(examples: Examples) -> Chart:
    bins = len(examples.splits.train.ink_histogram)
    used = max(n for _, split in examples.splits.items() for n, count in enumerate(split.ink_histogram) if count) + 1
    series = _shares(examples, lambda split: split.ink_histogram[:used])
    return line_chart(
        title="Mean gray level of the images",
        alt="Share of images by the mean of their pixels, for each split.",
        x=[round(255 * (n + 0.5) / bins, 1) for n in range(used)],
        x_name="mean gray level, 0 to 255",
        series=series,
        limits=(0.0, 1.04 * max(share or 0 for each in series for share in each.values)),
        format_value=short_percent,
        format_cell=lambda share: percent(share, 1),
    )


def _shares(examples: Examples, counts: Callable[[ExamplesSplit], tuple[int, ...]]) -> list[Series]:
    return [
        Series(name, tuple(count / sum(counts(split)) for count in counts(split)), style)
        for style, (name, split) in enumerate(examples.splits.items(), start=1)
    ]

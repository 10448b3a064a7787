"""The check of how many images training has of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.example_gen.validation.anomalies import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.artifacts import Examples
    from components.example_gen.validation.config import ClassImbalanceCheck


def check_balance(examples: Examples, check: ClassImbalanceCheck) -> Iterator[Finding]:
    """Find classes of the training split that are so much smaller than the largest one.

    It is the imbalance ratio: images of the largest class over those of the smallest
    (M. Buda, A. Maki, M. A. Mazurowski, 2018, "A systematic study of the class imbalance problem in
    convolutional neural networks").
    """
    counts = examples.splits.train.label_counts
    most, least = max(counts), min(counts)
    if check.level == "off" or most <= check.ratio * least:
        return
    largest, smallest = (examples.class_names[counts.index(count)] for count in (most, least))
    yield Finding(
        check="class_imbalance",
        level=check.level,
        message=f"class `{largest}` has {most:,} training images and class `{smallest}` {least:,}: "
        f"the ratio is {most / least:.2f}, and its limit {check.ratio:g}",
        count=sum(check.ratio * count < most for count in counts),
        setting="class_imbalance.level",
    )

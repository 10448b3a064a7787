"""Drift: how far the distributions of these examples are from those of others, and whether that is too far."""

from __future__ import annotations

from math import log2, sqrt
from typing import TYPE_CHECKING

from components.artifacts import Drift, DriftMeasure
from components.example_gen.validation.anomalies import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.artifacts import Examples
    from components.example_gen.validation.config import DriftCheck


def measure_drift(examples: Examples, baseline: Examples, check: DriftCheck) -> Drift:
    """Measure each split against the baseline's split of that name.

    Classes are compared by name: one that the other has not has no share there.
    """
    measures = []
    for (name, split), (_, other) in zip(examples.splits.items(), baseline.splits.items(), strict=True):
        distance = largest_difference(
            shares_by_name(split.label_counts, examples.class_names),
            shares_by_name(other.label_counts, baseline.class_names),
        )
        measures.append(
            DriftMeasure(of="labels", split=name, distance=distance, method="largest difference", limit=check.labels)
        )
        for of, ours, theirs, limit in (
            ("ink", split.ink_histogram, other.ink_histogram, check.ink),
            ("pixels", split.pixel_histogram, other.pixel_histogram, check.pixels),
        ):
            distance = jensen_shannon_distance(ours, theirs)
            measures.append(DriftMeasure(of=of, split=name, distance=distance, method="Jensen-Shannon", limit=limit))
    return Drift(content_sha256=baseline.source.identity.get("content_sha256", ""), measures=tuple(measures))


def check_drift(examples: Examples, baseline: Examples, drift: Drift, check: DriftCheck) -> Iterator[Finding]:
    """Yield one finding for each distribution that is too far from the baseline's, and for what is of another kind."""
    if check.level == "off":
        return
    sizes = {name: split.count for name, split in examples.splits.items()}
    found = [_class_names(examples.class_names, baseline.class_names)]
    if examples.image_shape != baseline.image_shape:
        ours, theirs = ("x".join(map(str, each.image_shape[:2])) for each in (examples, baseline))
        found.append((f"the images are {ours}, and those of the baseline {theirs}", sum(sizes.values())))
    for of in ("labels", "ink", "pixels"):
        drifted = [measure for measure in drift.measures if measure.of == of and measure.drifted]
        if drifted:
            distances = ", ".join(f"{measure.distance:.3f} in {measure.split}" for measure in drifted)
            message = f"{of} drift from the baseline ({drifted[0].method}): {distances}; the limit is "
            found.append((f"{message}{drifted[0].limit:g}", sum(sizes[measure.split] for measure in drifted)))
    for message, count in found:
        if count:
            yield Finding(check="drift", level=check.level, message=message, count=count, setting="drift.level")


def shares_by_name(counts: Sequence[int], names: Sequence[str]) -> dict[str, float]:
    """Return the share that each class has of all images.

    >>> shares_by_name((3, 1), ("a", "b"))
    {'a': 0.75, 'b': 0.25}
    """
    total = sum(counts)
    return {name: count / total for name, count in zip(names, counts, strict=True)}


def largest_difference(shares: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Return the L-infinity norm of the difference of two distributions, as TensorFlow Data Validation has it.

    >>> largest_difference({"a": 0.75, "b": 0.25}, {"a": 0.5, "c": 0.5})
    0.5
    """
    return max(abs(shares.get(name, 0.0) - others.get(name, 0.0)) for name in {**shares, **others})


def jensen_shannon_distance(counts: Sequence[int], others: Sequence[int]) -> float:
    """Return the Jensen-Shannon distance of two histograms over the same bins, to base 2: from 0 to 1.

    The divergence is J. Lin's (1991, "Divergence measures based on the Shannon entropy"); its square root is a
    metric (D. M. Endres, J. E. Schindelin, 2003, "A new metric for probability distributions").

    >>> jensen_shannon_distance((1, 3), (10, 30)), jensen_shannon_distance((1, 0), (0, 5))
    (0.0, 1.0)
    """
    total, other_total = sum(counts), sum(others)
    divergence = 0.0
    for count, other in zip(counts, others, strict=True):
        p, q = count / total, other / other_total
        middle = (p + q) / 2
        divergence += sum(share * log2(share / middle) / 2 for share in (p, q) if share)
    return sqrt(min(max(divergence, 0.0), 1.0))


def _class_names(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, int]:
    """Return in what the names of the classes differ, and how many classes that is about."""
    new = [f"`{name}`" for name in ours if name not in theirs]
    gone = [f"`{name}`" for name in theirs if name not in ours]
    parts = [f"the baseline has no class {', '.join(new[:5])}"] if new else []
    parts += [f"it has {', '.join(gone[:5])}, which is no class here"] if gone and new else []
    parts += [f"the baseline's class {', '.join(gone[:5])} is missing"] if gone and not new else []
    if parts:
        return "; ".join(parts), len(new) + len(gone)
    moved = sum(name != other for name, other in zip(ours, theirs, strict=False))
    return "the baseline has the classes in another order, and so other labels for them", moved

"""Checks of distributions: class imbalance, and drift from a baseline."""

from collections.abc import Iterator, Mapping, Sequence

from components.artifacts import Anomaly, Drift, DriftMeasure, Examples, raw_shape
from components.example_gen.validation.config import ClassImbalanceCheck, DriftCheck


def check_class_imbalance(examples: Examples, check: ClassImbalanceCheck) -> Iterator[Anomaly]:
    """Yield an anomaly if the imbalance ratio of the training split is above its limit.

    The ratio is the number of images of the largest class divided by that of the smallest (M. Buda, A. Maki,
    M. A. Mazurowski, 2018, "A systematic study of the class imbalance problem in convolutional neural networks").
    """
    counts = examples.splits.train.label_counts
    most, least = max(counts), min(counts)
    if check.level == "off" or most <= check.ratio * least:
        return
    largest, smallest = (examples.class_names[counts.index(count)] for count in (most, least))
    yield Anomaly(
        check="class_imbalance",
        level=check.level,
        message=f"class `{largest}` has {most:,} training images and class `{smallest}` {least:,}: "
        f"the ratio is {most / least:.2f}, and its limit {check.ratio:g}",
        count=sum(check.ratio * count < most for count in counts),
    )


def measure_drift(examples: Examples, baseline: Examples, check: DriftCheck) -> Drift:
    """Measure the distances of each split from the baseline's split of the same name.

    Classes are compared by name: a missing class has the fraction 0.
    """
    measures = []
    for (name, split), (_, other) in zip(examples.splits.items(), baseline.splits.items(), strict=True):
        fractions = class_fractions(split.label_counts, examples.class_names)
        others = class_fractions(other.label_counts, baseline.class_names)
        ink = jensen_shannon_distance(split.ink_histogram, other.ink_histogram)
        pixels = jensen_shannon_distance(*_same_channels(split.pixel_histogram, other.pixel_histogram))
        for of, distance, method, limit in (
            ("labels", largest_difference(fractions, others), "largest difference", check.labels),
            ("ink", ink, "Jensen-Shannon", check.ink),
            ("pixels", pixels, "Jensen-Shannon", check.pixels),
        ):
            measures.append(DriftMeasure(of=of, split=name, distance=distance, method=method, limit=limit))
    return Drift(content_sha256=baseline.source.identity.get("content_sha256", ""), measures=tuple(measures))


def check_drift(examples: Examples, baseline: Examples, drift: Drift, check: DriftCheck) -> Iterator[Anomaly]:
    """Yield an anomaly for each distance above its limit, and for other class names or image sizes."""
    if check.level == "off":
        return
    sizes = {name: split.count for name, split in examples.splits.items()}
    found = [_compare_class_names(examples.class_names, baseline.class_names)]
    if examples.image_shape != baseline.image_shape:
        size, other = ("x".join(map(str, raw_shape(each.image_shape))) for each in (examples, baseline))
        found.append((f"the images are {size}, and those of the baseline {other}", sum(sizes.values())))
    for of in ("labels", "ink", "pixels"):
        drifted = [measure for measure in drift.measures if measure.of == of and measure.drifted]
        if drifted:
            distances = ", ".join(f"{measure.distance:.3f} in {measure.split}" for measure in drifted)
            message = f"{of} drift from the baseline ({drifted[0].method}): {distances}; the limit is "
            found.append((f"{message}{drifted[0].limit:g}", sum(sizes[measure.split] for measure in drifted)))
    for message, count in found:
        if count:
            yield Anomaly(check="drift", level=check.level, message=message, count=count)


def class_fractions(counts: Sequence[int], names: Sequence[str]) -> dict[str, float]:
    """Return the fraction of all images that each class has.

    >>> class_fractions((3, 1), ("a", "b"))
    {'a': 0.75, 'b': 0.25}
    """
    total = sum(counts)
    return {name: count / total for name, count in zip(names, counts, strict=True)}


def largest_difference(fractions: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Return the L-infinity norm of the difference of two distributions, as TensorFlow Data Validation uses it.

    >>> largest_difference({"a": 0.75, "b": 0.25}, {"a": 0.5, "c": 0.5})
    0.5
    """
    return max(abs(fractions.get(name, 0.0) - others.get(name, 0.0)) for name in {**fractions, **others})


def jensen_shannon_distance(counts: Sequence[int], others: Sequence[int]) -> float:
    """Return the Jensen-Shannon distance, to base 2, of two histograms over the same bins: from 0 to 1.

    The distance is the square root of J. Lin's divergence (1991, "Divergence measures based on the Shannon entropy").
    It is a metric (D. M. Endres, J. E. Schindelin, 2003, "A new metric for probability distributions").

    >>> jensen_shannon_distance((1, 3), (10, 30)), jensen_shannon_distance((1, 0), (0, 5))
    (0.0, 1.0)
    """
    import numpy as np
    from scipy.spatial.distance import jensenshannon

    # For nearly equal histograms, rounding can make the divergence negative, and its root NaN.
    with np.errstate(invalid="ignore"):
        distance = float(np.nan_to_num(jensenshannon(counts, others, base=2)))
    return min(distance, 1.0)


def _same_channels(counts: Sequence[int], others: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Return two histograms of 16 bins per channel; if only one is of color images, the sums over their channels."""
    if len(counts) == len(others):
        return counts, others
    return [sum(counts[level::16]) for level in range(16)], [sum(others[level::16]) for level in range(16)]


def _compare_class_names(names: Sequence[str], others: Sequence[str]) -> tuple[str, int]:
    new = [f"`{name}`" for name in names if name not in others]
    missing = [f"`{name}`" for name in others if name not in names]
    parts = [f"the baseline has no class {', '.join(new[:5])}"] if new else []
    parts += [f"it has {', '.join(missing[:5])}, which is no class here"] if missing and new else []
    parts += [f"the baseline's class {', '.join(missing[:5])} is missing"] if missing and not new else []
    if parts:
        return "; ".join(parts), len(new) + len(missing)
    moved = sum(name != other for name, other in zip(names, others, strict=False))
    return "the baseline has the classes in another order, and so other labels for them", moved

"""Confidence intervals: Wilson's for a proportion, and the bootstrap for all other metrics."""

from collections.abc import Callable, Iterator
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from components.artifacts import DifferenceInterval, Interval

RESAMPLES = 1000
"""Enough for the bounds of a 95 % interval (B. Efron and R. Tibshirani, 1993, chapter 14)."""
CONFIDENCE = 0.95
MIN_RESAMPLES, MAX_RESAMPLED_IMAGES = 100, 2**25
"""Limits of the time for custom metrics: fewer resamples of many images."""


def wilson_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    >>> interval = wilson_interval(9930, 10000)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.9912, 0.9945)
    """
    # scipy.stats has this interval too, but differs in the last bit, and takes long to import.
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    proportion = successes / trials
    center = proportion + z * z / (2 * trials)
    spread = z * sqrt(proportion * (1 - proportion) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    low, high = max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)
    return Interval(low=low, high=high, confidence=confidence, method="wilson")


def paired_interval(both: int, only_first: int, only_second: int, neither: int) -> DifferenceInterval:
    """Return the interval of the second proportion minus the first, both of the same images (R. G. Newcombe, 1998).

    It combines Wilson's intervals of both proportions (Statistics in Medicine 17, 2635-2650, method 10), and is
    reliable also if few images differ, where a bootstrap interval is too short.

    >>> interval = paired_interval(36, 12, 2, 0)
    >>> round(interval.low, 4), round(interval.high, 4)
    (-0.3404, -0.0569)
    """
    count = both + only_first + only_second + neither
    first, second = wilson_interval(both + only_first, count), wilson_interval(both + only_second, count)
    one, other = (both + only_first) / count, (both + only_second) / count
    product = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    numerator = float(both * neither - only_first * only_second)
    if numerator > 0:  # corrected for continuity
        numerator = max(0.0, numerator - count / 2)
    correlation = numerator / sqrt(product) if product else 0.0

    def distance(below: float, above: float) -> float:
        return sqrt(max(0.0, below**2 - 2 * correlation * below * above + above**2))

    difference = other - one
    low = difference - distance(other - second.low, first.high - one)
    high = difference + distance(second.high - other, one - first.low)
    return DifferenceInterval(low=low, high=high, confidence=CONFIDENCE, method="newcombe")


def bootstrap_intervals(
    groups: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> list[Interval]:
    """Return intervals of statistics over resampled images (B. Efron, Annals of Statistics 7, 1979).

    Images of one kind contribute equally to the statistic: counts by kind are drawn from a multinomial distribution,
    which takes no longer for more images. Each stratum keeps its number of images, so that no class is missing from a
    resample. The percentiles are corrected by the bootstrap estimate of the bias (B. Efron and R. Tibshirani, 1993,
    chapter 10): a calibration error is larger in every resample than in the images themselves.

    Args:
        groups: int64 [strata, kinds]: the number of images of each kind.
        statistic: from counts int64 [resamples, strata, kinds] to values in 0..1, float64 [resamples, statistics].
    """
    random, counts = np.random.default_rng(0), groups.sum(axis=1, keepdims=True)
    fractions = np.where(counts, groups / np.maximum(counts, 1), 1 / groups.shape[1])
    step = max(1, 2**22 // groups.size)  # drawn numbers in memory at a time: 32 MB
    sizes = [(min(step, RESAMPLES - start), len(groups)) for start in range(0, RESAMPLES, step)]
    values = np.concatenate([statistic(random.multinomial(counts[:, 0], fractions, size=size)) for size in sizes])
    tail = (1 - CONFIDENCE) / 2 * 100
    bounds = np.percentile(values, [tail, 100 - tail], axis=0) + statistic(groups[np.newaxis]) - values.mean(axis=0)
    return [
        Interval(low=low, high=high, confidence=CONFIDENCE, method="bootstrap", resamples=RESAMPLES)
        for low, high in np.clip(bounds, 0.0, 1.0).T.tolist()
    ]


def resampled_interval(
    labels: NDArray[np.int64],
    statistic: Callable[[NDArray[np.int64]], float],
    *,
    resamples: int,
    check: Callable[[], None],
) -> Interval | None:
    """Return the bootstrap interval of any statistic, or None if it is not finite for every resample.

    As in `bootstrap_intervals`, each class keeps its number of images, and the percentiles are corrected by the bias,
    here only if it is more than the noise of the resamples. They stay within the range of the resampled values.

    Args:
        labels: int64 [count].
        statistic: from rows of the images, int64 [count], to a value.
        check: called before each resample; ends the measurement if it raises an exception.
    """
    values = []
    for rows in resampled_rows(labels, resamples):
        check()
        values.append(statistic(rows))
    return percentile_interval(np.array(values), statistic(np.arange(len(labels))))


def resampled_rows(labels: NDArray[np.int64], resamples: int = RESAMPLES) -> Iterator[NDArray[np.int64]]:
    """Yield rows of images drawn with replacement, int64 [count]: each class keeps its number of images.

    More than 30,000 images have fewer resamples.
    """
    order, sizes = np.argsort(labels, kind="stable"), np.unique(labels, return_counts=True)[1]
    first, size = np.repeat(np.cumsum(sizes) - sizes, sizes), np.repeat(sizes, sizes)
    random = np.random.default_rng(0)
    for _ in range(min(resamples, max(MIN_RESAMPLES, MAX_RESAMPLED_IMAGES // len(labels)))):
        yield order[first + (random.random(len(labels)) * size).astype(np.int64)]


def percentile_interval(values: NDArray[np.float64], estimate: float) -> Interval | None:
    """Return the interval of a statistic from its resampled values, or None if one of them is not finite."""
    if not np.isfinite(values).all():
        return None
    bias, noise = values.mean() - estimate, values.std() / sqrt(len(values))
    tail = (1 - CONFIDENCE) / 2 * 100
    bounds = np.percentile(values, [tail, 100 - tail]) - (bias if abs(bias) > 3 * noise else 0)
    low, high = np.clip(bounds, values.min(), values.max()).tolist()
    return Interval(low=low, high=high, confidence=CONFIDENCE, method="bootstrap", resamples=len(values))

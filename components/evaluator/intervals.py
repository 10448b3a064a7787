"""Confidence intervals: Wilson's for a share, and the bootstrap for what has no formula."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RESAMPLES = 1000
"""Enough for the ends of a 95 % interval (B. Efron and R. Tibshirani, 1993, chapter 14)."""
HELD = 2**22
"""Numbers drawn at a time: 32 MB."""
SEED = 0
"""Of the resampling: the same answers have the same intervals."""
CONFIDENCE = 0.95


def wilson_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    >>> interval = wilson_interval(9930, 10000)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.9912, 0.9945)
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(
        low=max(0.0, (centre - spread) / scale),
        high=min(1.0, (centre + spread) / scale),
        confidence=confidence,
        method="wilson",
    )


def bootstrap_intervals(
    groups: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> list[Interval]:
    """Return intervals of statistics over resampled images (B. Efron, Annals of Statistics 7, 1979).

    Images that count alike are drawn as one: to draw images with replacement and to count them by kind is to draw
    from a multinomial distribution over the kinds, which takes no longer for more images. Each stratum keeps its
    number of images, so that no class is missing from a resample. The percentiles are moved by the bootstrap's own
    estimate of a statistic's bias (B. Efron and R. Tibshirani, 1993, chapter 10): a calibration error, for one,
    is larger in every resample than in the images themselves.

    Args:
        groups: int64 [strata, kinds]: how many images there are of each kind.
        statistic: from counts int64 [resamples, strata, kinds] to values in 0..1, float64 [resamples, statistics].
    """
    random, counts = np.random.default_rng(SEED), groups.sum(axis=1, keepdims=True)
    shares = np.where(counts, groups / np.maximum(counts, 1), 1 / groups.shape[1])
    at_a_time = max(1, HELD // groups.size)
    found = [
        statistic(random.multinomial(counts[:, 0], shares, size=(min(at_a_time, RESAMPLES - start), len(groups))))
        for start in range(0, RESAMPLES, at_a_time)
    ]
    values = np.concatenate(found)
    tail = (1 - CONFIDENCE) / 2 * 100
    ends = np.percentile(values, [tail, 100 - tail], axis=0) + statistic(groups[np.newaxis]) - values.mean(axis=0)
    low, high = np.clip(ends, 0.0, 1.0)
    return [
        Interval(low=float(a), high=float(b), confidence=CONFIDENCE, method="bootstrap", resamples=RESAMPLES)
        for a, b in zip(low, high, strict=True)
    ]

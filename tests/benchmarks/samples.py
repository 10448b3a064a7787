"""What one process took as a sample, and what the samples of a contestant come to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One contestant, once.

    Attributes:
        round: from 0.
        wall: seconds, of the whole process.
        cpu: CPU-seconds, of the whole process.
        peak: bytes of resident memory at the highest.
        accuracy: on the test images.
        corrected: the same with the known label errors corrected (see `corrections`).
        training: CPU-seconds.
        training_wall: seconds.
        parts: CPU-seconds beside training, by part.
        curve: after each epoch, test `accuracy` and `cpu_seconds` of training so far.
        failure: why there is nothing else here; empty if it went well.
    """

    contestant: str
    seed: int
    round: int
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    accuracy: float | None = None
    corrected: float | None = None
    training: float | None = None
    training_wall: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[Mapping[str, float]] = ()
    failure: str = ""

    @property
    def beside(self) -> float | None:
        """CPU-seconds of everything but training."""
        return None if self.training is None else self.cpu - self.training


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The samples of a contestant together.

    Attributes:
        count: how many samples.
        wall: median, in seconds.
        cpu: median, in CPU-seconds.
        peak: of all samples the highest, in bytes.
        training: median, in CPU-seconds.
        beside: median CPU-seconds of everything else.
        accuracies: in the order of the rounds.
        corrected: mean accuracy with the known label errors corrected.
        parts: median CPU-seconds beside training, by part.
    """

    count: int
    wall: float
    cpu: float
    peak: int
    training: float | None
    beside: float | None
    accuracies: tuple[float, ...]
    corrected: float | None
    parts: Mapping[str, float]

    @property
    def accuracy(self) -> float | None:
        """The mean."""
        return statistics.mean(self.accuracies) if self.accuracies else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation; None of a single one."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None


def summarize(samples: Iterable[Sample]) -> dict[str, Summary]:
    """Return the summary of each contestant that has a sample that went well."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        if not sample.failure:
            by_name.setdefault(sample.contestant, []).append(sample)
    return {name: _summary(some) for name, some in by_name.items()}


def _summary(samples: Sequence[Sample]) -> Summary:
    parts = dict.fromkeys(part for sample in samples for part in sample.parts)
    return Summary(
        count=len(samples),
        wall=statistics.median(sample.wall for sample in samples),
        cpu=statistics.median(sample.cpu for sample in samples),
        peak=max(sample.peak for sample in samples),
        training=_median(sample.training for sample in samples),
        beside=_median(sample.beside for sample in samples),
        accuracies=tuple(sample.accuracy for sample in samples if sample.accuracy is not None),
        corrected=_mean(sample.corrected for sample in samples),
        parts={part: statistics.median(sample.parts.get(part, 0.0) for sample in samples) for part in parts},
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None

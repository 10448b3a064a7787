"""Samples: one measured run of a program, and the summary of all runs of a program."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from tests.benchmarks.disturbance import Disturbance, undisturbed_runs


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of a program.

    Attributes:
        seed: that it was given, if any.
        round: from 0.
        wall: seconds of the whole process.
        cpu: CPU-seconds of the whole process.
        peak: peak resident memory in bytes.
        accuracy: on the test images.
        corrected: accuracy with the known label errors corrected (see `corrections`).
        training: CPU-seconds of training.
        training_wall: seconds of training.
        parts: CPU-seconds outside of training, by part.
        curve: for each epoch, the test `accuracy` and the `cpu_seconds` of training up to its end.
        failure: why the sample has no values; empty if it has.
        disturbance: what other programs did meanwhile.
    """

    program: str
    seed: int | None = None
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
    disturbance: Disturbance | None = None

    @property
    def is_disturbed(self) -> bool:
        """Whether its times are not those of a quiet machine."""
        return self.disturbance is not None and self.disturbance.is_disturbed

    @property
    def other_cpu(self) -> float | None:
        """CPU-seconds outside of training."""
        return None if self.training is None else self.cpu - self.training


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All valid samples of a program; times are those of undisturbed samples, if there are any.

    Attributes:
        count: number of samples.
        disturbed: number of those that were disturbed.
        wall: median, in seconds.
        cpu: median, in CPU-seconds.
        peak: maximum, in bytes.
        training: median, in CPU-seconds.
        training_wall: median, in seconds.
        other_cpu: median CPU-seconds outside of training.
        accuracies: in the order of the rounds.
        corrected: mean accuracy with the known label errors corrected.
        parts: median CPU-seconds outside of training, by part.
    """

    count: int
    disturbed: int
    wall: float
    cpu: float
    peak: int
    training: float | None
    training_wall: float | None
    other_cpu: float | None
    accuracies: tuple[float, ...]
    corrected: float | None
    parts: Mapping[str, float]

    @property
    def accuracy(self) -> float | None:
        """The mean accuracy."""
        return statistics.mean(self.accuracies) if self.accuracies else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation of the accuracy; None for a single sample."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None


def summarize(samples: Iterable[Sample]) -> dict[str, Summary]:
    """Return the summary of each program with at least one valid sample."""
    by_program: dict[str, list[Sample]] = {}
    for sample in samples:
        if not sample.failure:
            by_program.setdefault(sample.program, []).append(sample)
    return {name: _summary(own) for name, own in by_program.items()}


def ratio(samples: Sequence[Sample], program: str, unit: str, value: Callable[[Sample], float | None]) -> float | None:
    """Return the median ratio of a value of two programs over rounds in which both ran undisturbed, or None.

    Args:
        value: returns it, such as `lambda sample: sample.training`.
    """
    rounds: dict[int, dict[str, float]] = {}
    for sample in samples:
        found = None if sample.failure or sample.is_disturbed else value(sample)
        if found is not None:
            rounds.setdefault(sample.round, {})[sample.program] = found
    pairs = [values[program] / values[unit] for values in rounds.values() if program in values and unit in values]
    return statistics.median(pairs) if pairs else None


def _summary(samples: Sequence[Sample]) -> Summary:
    quiet = undisturbed_runs(samples, attrgetter("disturbance"))
    parts = dict.fromkeys(part for sample in quiet for part in sample.parts)
    return Summary(
        count=len(samples),
        disturbed=sum(sample.is_disturbed for sample in samples),
        wall=statistics.median(sample.wall for sample in quiet),
        cpu=statistics.median(sample.cpu for sample in quiet),
        peak=max(sample.peak for sample in samples),
        training=_median(sample.training for sample in quiet),
        training_wall=_median(sample.training_wall for sample in quiet),
        other_cpu=_median(sample.other_cpu for sample in quiet),
        accuracies=tuple(sample.accuracy for sample in samples if sample.accuracy is not None),
        corrected=_mean(sample.corrected for sample in samples),
        parts={part: statistics.median(sample.parts.get(part, 0.0) for sample in quiet) for part in parts},
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None

"""The ranking of a sweep: by validation only, over the means of trials that differ in seeds only."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from job.config.sweep import is_seed
from job.sweep.records import Trial


@dataclass(frozen=True)
class Setting:
    """The trials with the same values, except for seeds."""

    number: int
    parameters: dict[str, Any]
    """Without seeds."""
    trials: tuple[Trial, ...]

    @property
    def accuracy(self) -> float | None:
        """The mean validation accuracy; None until every trial has one. Failed trials do not count."""
        return self._mean([trial.accuracy for trial in self.counted])

    @property
    def loss(self) -> float | None:
        """The mean validation loss."""
        return self._mean([trial.loss for trial in self.counted])

    @property
    def spread(self) -> float | None:
        """The standard deviation of the accuracy over the seeds; None with fewer than two."""
        values = [trial.accuracy for trial in self.counted if trial.accuracy is not None]
        return statistics.stdev(values) if self.accuracy is not None and len(values) > 1 else None

    @property
    def counted(self) -> list[Trial]:
        """The trials that did not fail."""
        return [trial for trial in self.trials if trial.state != "failed"]

    @property
    def has_failed(self) -> bool:
        """Whether any trial failed."""
        return len(self.counted) < len(self.trials)

    @property
    def has_finished(self) -> bool:
        """Whether every trial finished."""
        return all(trial.state == "finished" for trial in self.trials)

    @property
    def epochs_done(self) -> int:
        """Epochs that every trial did."""
        return min((trial.epochs_done for trial in self.counted), default=0)

    def accuracy_at(self, epoch: int) -> float | None:
        """Return the mean accuracy after an epoch, 0 if a trial failed; None if a trial is not there yet."""
        return 0.0 if self.has_failed else self._mean([trial.accuracy_at(epoch) for trial in self.trials])

    def best(self) -> Trial | None:
        """Return the finished trial with the highest accuracy; the first of equal ones."""
        finished = [trial for trial in self.trials if trial.state == "finished"]
        return max(finished, key=lambda trial: (trial.accuracy or 0.0, -(trial.loss or 0.0)), default=None)

    @staticmethod
    def _mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if known and len(known) == len(values) else None


def group(trials: Iterable[Trial]) -> list[Setting]:
    """Return the settings of some trials, in their order."""
    settings: dict[int, list[Trial]] = {}
    for trial in trials:
        settings.setdefault(trial.setting, []).append(trial)
    return [
        Setting(number, {key: value for key, value in group[0].parameters.items() if not is_seed(key)}, tuple(group))
        for number, group in settings.items()
    ]


def rank(trials: Iterable[Trial]) -> list[Setting]:
    """Return the settings, the best first.

    A setting whose trials all finished comes before those that did fewer epochs, and a setting with a failed trial
    comes last. Equal means are ordered by the loss, and then by number.
    """
    return sorted(group(trials), key=_order)


def _order(setting: Setting) -> tuple[Any, ...]:
    accuracy, loss = setting.accuracy, setting.loss
    return (
        setting.has_failed,
        accuracy is None,
        not setting.has_finished,
        0 if setting.has_finished else -setting.epochs_done,
        -(accuracy or 0.0),
        loss or 0.0,
        setting.number,
    )

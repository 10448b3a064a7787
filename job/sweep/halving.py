"""Successive halving: which paused trials continue.

With one process it is synchronous successive halving (K. Jamieson and A. Talwalkar, 2016): all trials reach a rung
before the best continue. With several shares it is ASHA (L. Li et al., 2018): each share promotes by the results so
far, so that no share waits for another.
"""

from collections.abc import Sequence

from job.config.sweep import HalvingConfig
from job.sweep.ranking import Setting
from job.sweep.records import Trial


def rungs(halving: HalvingConfig, epochs: int) -> list[int]:
    """Return the epochs after which trials of at most `epochs` are compared.

    >>> rungs(HalvingConfig(factor=3, epochs=2), epochs=30)
    [2, 6, 18]
    """
    found = []
    rung = halving.epochs
    while rung < epochs:
        found.append(rung)
        rung *= halving.factor
    return found


def next_rung(trial: Trial, all_rungs: Sequence[int]) -> int | None:
    """Return the epoch after which a trial pauses next; None if it runs to its end."""
    return next((rung for rung in all_rungs if rung > trial.epochs_done), None)


def promoted(settings: Sequence[Setting], all_rungs: Sequence[int], factor: int) -> list[Trial]:
    """Return the paused trials that continue now, those of the lowest rung first; empty if there are none.

    Of the settings that reached a rung, the best one of `factor` continues, and at least one after all trials reached
    it. A setting continues with all of its seeds.
    """
    is_open = any(trial.state in ("waiting", "running") for setting in settings for trial in setting.trials)
    for rung in all_rungs:
        measured = [(setting, accuracy) for setting in settings if (accuracy := setting.accuracy_at(rung)) is not None]
        quota = len(measured) // factor or int(not is_open)
        measured.sort(key=lambda pair: (pair[0].has_failed, -pair[1], pair[0].number))
        best = [setting for setting, _ in measured[:quota] if not setting.has_failed]
        waiting = [
            trial
            for setting in best
            for trial in setting.trials
            if trial.state == "paused" and trial.epochs_done == rung
        ]
        if waiting:
            return waiting
    return []

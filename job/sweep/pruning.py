"""Pruning: Optuna's rules that stop a trial which is worse than earlier ones."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from components.artifacts import Epoch
from job.config.sweep import PrunerConfig
from job.sweep.records import Trial
from job.sweep.sampling import import_optuna


def stop_rule(config: PrunerConfig, earlier: Iterable[Trial]) -> Callable[[Sequence[Epoch]], bool]:
    """Return a function that is called after each epoch of a trial, and returns whether to stop it.

    `earlier` are the trials to compare it with; those that did not end are ignored.
    """
    optuna = import_optuna("the pruner")
    states, create_trial = optuna.trial.TrialState, optuna.trial.create_trial
    pruner = _pruner(optuna, config)
    study = optuna.create_study(direction="maximize", pruner=pruner)

    def accuracies(history: Iterable[Epoch]) -> dict[int, float]:
        return {row.epoch: row.val_accuracy for row in history}

    for trial in earlier:
        if trial.state in ("finished", "stopped") and trial.history:
            state = states.COMPLETE if trial.state == "finished" else states.PRUNED
            values = accuracies(trial.history)
            study.add_trial(create_trial(state=state, value=trial.accuracy, intermediate_values=values))

    def should_stop(history: Sequence[Epoch]) -> bool:
        running = create_trial(state=states.RUNNING, intermediate_values=accuracies(history))
        return bool(pruner.prune(study, running))

    return should_stop


def _pruner(optuna: Any, config: PrunerConfig) -> Any:
    # Optuna stops from the step `n_warmup_steps` on, and the first epoch is 1.
    options = {"n_startup_trials": config.startup_trials, "n_warmup_steps": config.warmup_epochs + 1}
    if config.kind == "median":
        return optuna.pruners.MedianPruner(**options)
    return optuna.pruners.PercentilePruner(config.percentile, **options)

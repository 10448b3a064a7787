"""Pruning: Optuna's rules that stop a trial which is worse than earlier ones."""

from collections.abc import Callable, Iterable
from typing import Any

from components.artifacts import Epoch
from job.config.sweep import PrunerConfig
from job.sweep.records import Trial
from job.sweep.sampling import import_optuna


def stop_rule(config: PrunerConfig, earlier: Iterable[Trial]) -> Callable[[Epoch], bool]:
    """Return a function that is called after each epoch of a trial, and returns whether to stop it.

    `earlier` are the trials to compare it with; those that did not end are ignored.
    """
    optuna = import_optuna("the pruner")
    study = optuna.create_study(direction="maximize", pruner=_pruner(optuna, config))
    for trial in earlier:
        if trial.state in ("finished", "stopped") and trial.history:
            is_whole = trial.state == "finished"
            study.add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.COMPLETE if is_whole else optuna.trial.TrialState.PRUNED,
                    value=trial.accuracy,
                    intermediate_values={row.epoch: row.val_accuracy for row in trial.history},
                )
            )
    running = study.ask()

    def should_stop(row: Epoch) -> bool:
        running.report(row.val_accuracy, row.epoch)
        return bool(running.should_prune())

    return should_stop


def _pruner(optuna: Any, config: PrunerConfig) -> Any:
    options = {"n_startup_trials": config.startup_trials, "n_warmup_steps": config.warmup_epochs}
    if config.kind == "median":
        return optuna.pruners.MedianPruner(**options)
    return optuna.pruners.PercentilePruner(config.percentile, **options)

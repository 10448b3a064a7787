"""The points that a sweep tries: a grid, or points that a sampler of Optuna chooses."""

from collections.abc import Iterator, Sequence
from typing import Any

from components.base.errors import ConfigError
from components.base.hashing import value_sha256
from components.runtime.libraries import missing_modules
from job.config.sweep import Choice, Distribution, LogUniform, SweepConfig, Whole
from job.sweep.ranking import Setting


def import_optuna(reason: str) -> Any:
    """Return Optuna, with its log reduced to warnings; raise ConfigError if it is not installed."""
    if missing_modules(("optuna",)):
        raise ConfigError(
            f"{reason} needs Optuna, which is not installed",
            expected="the extra `sweep`",
            remedy="`make extras` or `pip install -e '.[sweep]'`; a grid without a pruner needs no extra",
        )
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def points(sweep: SweepConfig) -> Iterator[dict[str, Any]]:
    """Yield the points that do not depend on results; none with `tpe`."""
    if sweep.is_grid:
        yield from sweep.grid()
    for number in range(sweep.random or 0):
        yield suggest(sweep, number)


def suggest(sweep: SweepConfig, number: int, earlier: Sequence[Setting] = ()) -> dict[str, Any]:
    """Return the point of a number from the results of earlier ones.

    The same results give the same point: each has a generator with a seed of its own, so that no state has to be
    stored.
    """
    optuna = import_optuna("the sampler")
    seed = int(value_sha256([sweep.seed, number])[:8], 16)
    samplers = optuna.samplers
    sampler = samplers.RandomSampler(seed) if sweep.tpe is None else samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    point: dict[str, Any] = {}
    accuracies = []
    for setting in earlier:
        if setting.accuracy is not None and not setting.has_failed:
            accuracies.append(setting.accuracy)
            study.enqueue_trial(
                {key: _internal(value, setting.parameters[key]) for key, value in sweep.sampled.items()}
            )

    def objective(trial: Any) -> float:
        point.update({key: _choose(trial, key, value) for key, value in sweep.sampled.items()})
        return accuracies[trial.number] if trial.number < len(accuracies) else 0.0

    study.optimize(objective, n_trials=len(accuracies) + 1)  # the last trial is new
    return point


def corners(sweep: SweepConfig) -> Iterator[dict[str, Any]]:
    """Yield points that together have every value of each list, and both ends of each range."""
    ends = {
        key: value.choice if isinstance(value, Choice) else next(iter(value.model_dump().values()))
        for key, value in sweep.sampled.items()
    }
    first = {key: values[0] for key, values in ends.items()}
    yield first
    for key, values in ends.items():
        for value in values[1:]:
            yield {**first, key: value}


def _choose(trial: Any, key: str, distribution: Distribution) -> Any:
    match distribution:
        case Choice(choice=values):  # by place: Optuna's choices are scalars
            return values[trial.suggest_categorical(key, range(len(values)))]
        case Whole():
            return trial.suggest_int(key, *distribution.int)
        case LogUniform(log=bounds):
            return trial.suggest_float(key, *bounds, log=True)
        case _:
            return trial.suggest_float(key, *distribution.uniform)


def _internal(distribution: Distribution, value: Any) -> Any:
    return distribution.choice.index(value) if isinstance(distribution, Choice) else value

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
    distributions = {key: _distribution(optuna, value) for key, value in sweep.sampled.items()}
    for setting in earlier:
        if setting.accuracy is not None and not setting.has_failed:
            values = {key: _internal(value, setting.parameters[key]) for key, value in sweep.sampled.items()}
            study.add_trial(
                optuna.trial.create_trial(params=values, distributions=distributions, value=setting.accuracy)
            )
    chosen = study.ask(distributions).params
    return {key: _external(value, chosen[key]) for key, value in sweep.sampled.items()}


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


def _distribution(optuna: Any, distribution: Distribution) -> Any:
    kinds = optuna.distributions
    match distribution:
        case Choice(choice=values):  # by place: Optuna's choices are scalars
            return kinds.CategoricalDistribution(range(len(values)))
        case Whole():
            return kinds.IntDistribution(*distribution.int)
        case LogUniform(log=bounds):
            return kinds.FloatDistribution(*bounds, log=True)
        case _:
            return kinds.FloatDistribution(*distribution.uniform)


def _internal(distribution: Distribution, value: Any) -> Any:
    return distribution.choice.index(value) if isinstance(distribution, Choice) else value


def _external(distribution: Distribution, value: Any) -> Any:
    return distribution.choice[value] if isinstance(distribution, Choice) else value

"""Configuration of a sweep: which values to try, how to choose among them, and when a trial ends early."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, field_validator, model_validator

from components.base.component import Seed

SEED = "seed"
SPACE = "space"
KINDS = ("uniform", "log", "int", "choice")
MAX_TRIALS = 5_000
LIST_OR_RANGE = "a list of values, or one of `{uniform: [low, high]}`, `{log: [low, high]}` and `{int: [low, high]}`"


class SweepPart(BaseModel):
    """Base of the parts of the section: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Count = Annotated[int, Field(strict=True, ge=1, le=MAX_TRIALS)]
Number = Annotated[float, Field(strict=True)]


class Choice(SweepPart):
    """One of some values."""

    choice: Annotated[tuple[Any, ...], Field(min_length=1)]
    """The values; a list without this key is the same."""


class Uniform(SweepPart):
    """A number between two others, each equally likely."""

    uniform: tuple[Number, Number]
    """The lowest and the highest number."""


class LogUniform(SweepPart):
    """A positive number between two others; each power of ten is equally likely."""

    log: tuple[Number, Number]
    """The lowest and the highest number."""


class Whole(SweepPart):
    """A whole number between two others, both included."""

    int: "WholeBounds"
    """The lowest and the highest number."""


WholeBounds = tuple[Annotated[int, Field(strict=True)], Annotated[int, Field(strict=True)]]
Distribution = Choice | Uniform | LogUniform | Whole
DISTRIBUTIONS: dict[str, type[Choice | Uniform | LogUniform | Whole]] = {
    "choice": Choice,
    "uniform": Uniform,
    "log": LogUniform,
    "int": Whole,
}


def _read_distribution(value: object) -> Distribution:
    if isinstance(value, Choice | Uniform | LogUniform | Whole):
        return value
    written = {"choice": value} if isinstance(value, list | tuple) else value
    if not (isinstance(written, Mapping) and len(written) == 1 and (kind := next(iter(written))) in KINDS):
        raise ValueError(f"expected {LIST_OR_RANGE}")
    try:
        distribution = DISTRIBUTIONS[kind].model_validate(written)
    except ValidationError as error:
        what = "at least one value" if kind == "choice" else "two numbers" if kind != "int" else "two whole numbers"
        raise ValueError(f"expected {what} in `{kind}`") from error
    if not isinstance(distribution, Choice):
        low, high = getattr(distribution, kind)
        if not low < high or (kind == "log" and low <= 0):
            raise ValueError(f"expected a {'positive ' if kind == 'log' else ''}low value and a higher one in `{kind}`")
    elif len({repr(choice) for choice in distribution.choice}) < len(distribution.choice):
        raise ValueError("expected different values, but one is there twice")
    return distribution


class HalvingConfig(SweepPart):
    """Successive halving (K. Jamieson and A. Talwalkar, 2016; without waiting for other shares: L. Li et al., 2018).

    Trials pause after `epochs`, and the best one of `factor` continues to `factor` times as many, and so on.
    """

    factor: Annotated[int, Field(strict=True, ge=2, le=100)] = 3
    """One of this many continues."""
    epochs: Annotated[int, Field(strict=True, ge=1)] = 1
    """Epochs after which trials are compared for the first time."""


class PrunerConfig(SweepPart):
    """A rule of Optuna that stops a trial whose validation accuracy is worse than that of earlier trials."""

    kind: Literal["median", "percentile"] = "median"
    """`median` stops a trial whose best validation accuracy is below the median of earlier trials at the epoch."""
    percentile: Annotated[float, Field(strict=True, gt=0, lt=100)] = 25.0
    """With `percentile`, only trials within this best part continue, in percent."""
    startup_trials: Annotated[int, Field(strict=True, ge=0)] = 5
    """Finished trials before any is stopped."""
    warmup_epochs: Annotated[int, Field(strict=True, ge=0)] = 0
    """Epochs in which no trial is stopped."""


Written = list[Any] | Choice | Uniform | LogUniform | Whole
Space = dict[str, Annotated[Any, PlainValidator(_read_distribution, json_schema_input_type=Written)]]


class SweepConfig(SweepPart):
    """Values to try for keys of the configuration: a grid, or points that a sampler chooses.

    Without `space`, the section is the space of a grid itself. A seed that has a list of values is crossed with
    everything else, and the ranking is over the means of these trials.

    >>> config = SweepConfig.model_validate({"trainer.learning_rate.peak": [0.003, 0.01], "seed": [0, 1]})
    >>> config.seeds, [*config.grid()]
    ({'seed': (0, 1)}, [{'trainer.learning_rate.peak': 0.003}, {'trainer.learning_rate.peak': 0.01}])
    """

    space: Annotated[Space, Field(min_length=1)]
    """The values of each key: a list, or a range."""
    random: Count | None = None
    """Number of points that are chosen at random."""
    tpe: Count | None = None
    """Number of points that are chosen by the results so far: the tree-structured Parzen estimator (J. Bergstra et
    al., 2011)."""
    seed: Seed = 0
    """Determines the points that `random` and `tpe` choose."""
    halving: HalvingConfig | None = None
    """Pauses trials early, and continues the best ones."""
    pruner: PrunerConfig | None = None
    """Stops trials that are worse than earlier ones."""

    @model_validator(mode="before")
    @classmethod
    def _read_grid(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        is_whole = any(key in value for key in cls.model_fields if key != SEED)
        return value if is_whole else {SPACE: value}

    @field_validator("space", mode="before")
    @classmethod
    def _flatten(cls, value: object) -> object:
        return dict(_flat(value)) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.random is not None and self.tpe is not None:
            raise ValueError("random and tpe are two ways to choose points; set one of them")
        if self.halving is not None and (self.tpe is not None or self.pruner is not None):
            raise ValueError("halving needs a grid or random points, and no pruner")
        for key in self._ranges():
            if self.is_grid:
                raise ValueError(f"{key} is a range, and a grid needs a list of values; set random or tpe")
            if is_seed(key):
                raise ValueError(f"{key} needs a list of values: all points are tried with each")
        if (count := self.trials) > MAX_TRIALS:
            raise ValueError(f"there are {count:,} trials, expected at most {MAX_TRIALS:,}")
        return self

    def _ranges(self) -> list[str]:
        return [key for key, distribution in self.space.items() if not isinstance(distribution, Choice)]

    @property
    def is_grid(self) -> bool:
        """Whether every combination is tried."""
        return self.random is None and self.tpe is None

    @property
    def settings(self) -> int:
        """The number of points; each is tried with all seeds."""
        return self.random or self.tpe or math.prod(len(values) for values in self._choices().values())

    @property
    def trials(self) -> int:
        """The number of trials."""
        return self.settings * math.prod(map(len, self.seeds.values()))

    @property
    def seeds(self) -> dict[str, tuple[Any, ...]]:
        """The values of the keys that are seeds."""
        choices = ((key, value) for key, value in self.space.items() if is_seed(key))
        return {key: value.choice for key, value in choices if isinstance(value, Choice)}

    @property
    def sampled(self) -> dict[str, Distribution]:
        """The distributions of all other keys."""
        return {key: value for key, value in self.space.items() if not is_seed(key)}

    def grid(self) -> Iterator[dict[str, Any]]:
        """Yield each combination of the values of all keys that are not seeds."""
        return _combinations(self._choices())

    def seed_combinations(self) -> list[dict[str, Any]]:
        """Return each combination of the values of the seeds; one without values if there are no seeds."""
        return [*_combinations(self.seeds)]

    def _choices(self) -> dict[str, tuple[Any, ...]]:
        return {key: value.choice for key, value in self.sampled.items() if isinstance(value, Choice)}


def is_seed(key: str) -> bool:
    """Return whether a key of the configuration is a seed."""
    return key.rpartition(".")[2] == SEED


def _combinations(values: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values()))


def _flat(space: Mapping[Any, Any], parents: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys, also of nested sections, which `--set sweep.space.trainer.epochs=[1, 2]` makes."""
    for key, value in space.items():
        if isinstance(value, Mapping) and not (len(value) == 1 and next(iter(value)) in KINDS):
            yield from _flat(value, f"{parents}{key}.")
        else:
            yield f"{parents}{key}", value

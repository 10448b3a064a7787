"""Differences between two runs: keys of the configuration, modules of the source code, versions of packages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from components.base.extension import USE
from job.store.fingerprint import short_value

MAX_MODULES_NAMED = 2
"""With more changed modules, a short description has only their number."""
Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Facts:
    """What decides the results of a run, in flat form, so that two runs can be compared."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """Values by key, such as `trainer.learning_rate.peak`."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Digests by module file; empty if the run did not record them."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of packages, and of Python."""


@dataclass(frozen=True)
class Differences:
    """The differences of a run from an earlier one."""

    config: dict[str, Pair]
    """By key: the value before and after; None where the run does not have the key."""
    code: tuple[str, ...]
    """Module files that were changed, added or removed."""
    packages: dict[str, Pair]
    """By package: the version before and after; None where it was not installed."""

    @classmethod
    def between(cls, before: Facts, after: Facts) -> Self:
        """Return the differences of one run from another."""
        code = _pairs(before.code, after.code) if before.code and after.code else {}
        config = _without_consequences(_pairs(before.config, after.config))
        return cls(config, tuple(code), _pairs(before.packages, after.packages))

    def describe(self) -> list[str]:
        """Return each difference in a few words, such as `trainer.epochs 3 → 4`."""
        modules = [f"code of {file.removesuffix('.py')}" for file in self.code]
        if len(modules) > MAX_MODULES_NAMED:
            modules = [f"code of {len(modules)} modules"]
        return [*map(_describe, self.config.items()), *modules, *map(_describe, self.packages.items())]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their keys joined with dots; an empty section has none.

    >>> flatten({"seed": 0, "trainer": {"network": {"filters": [4, 8]}, "freeze": []}, "visualizer": {}})
    {'seed': 0, 'trainer.network.filters': [4, 8], 'trainer.freeze': []}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Pair]:
    if before == after:
        return {}
    keys = sorted(before.keys() | after.keys())
    pairs = {key: (before.get(key), after.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _without_consequences(pairs: dict[str, Pair]) -> dict[str, Pair]:
    """Leave out what follows from another difference: the options of another class, and shared keys in sections."""
    replaced = tuple(key.removesuffix(USE) for key in pairs if key.endswith(f".{USE}"))
    return {
        key: pair
        for key, pair in pairs.items()
        if key.endswith(f".{USE}")
        or not (key.startswith(replaced) or ("." in key and pairs.get(key.rpartition(".")[2]) == pair))
    }


def _describe(difference: tuple[str, Pair]) -> str:
    name, (before, after) = difference
    return f"{name} {short_value(before)} → {short_value(after)}"

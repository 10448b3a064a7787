"""YAML configuration files: values that extend and override each other, and the file and line of each."""

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from components.base.errors import ConfigError, DataError
from components.base.extension import USE
from components.base.formatting import format_size
from components.base.paths import parse_path
from components.base.text import printable
from components.io.files import open_regular
from job.config.core_schema import as_written
from job.config.yaml_loader import KeyPath, parse_yaml

PRESETS = Path(__file__).parents[1] / "presets"
"""The folder `configs` of a checkout. In a wheel it is part of the package."""
SET = "--set "
"""Begins the origin of a value that the command line set."""
EXTENDS = "extends"
SWEEP = "sweep"
"""The section that only the command `sweep` reads."""
CHOICES = ("kind", "schedule")
"""Keys that, like `use`, choose the meaning of the others in their mapping: another choice replaces the mapping."""

MAX_FILE_BYTES = 250_000
MAX_EXTENDED_FILES = 20


@dataclass(frozen=True)
class YamlConfig:
    """Nested values, and the file and line, or the override, that set each."""

    values: dict[str, Any]
    origins: dict[KeyPath, str]

    @classmethod
    def load(cls, path: Path, *, extended_by: tuple[Path, ...] = ()) -> Self:
        """Read a YAML file or a preset, merged over the files that it extends."""
        path = Path(os.path.normpath(find_config(path)))
        _check_chain(path, extended_by)
        config = cls._read(path)
        base = config.values.get(EXTENDS)
        if base is None:
            return config
        where, problem = config.where((EXTENDS,)), f"{EXTENDS} is {as_written(base)}"
        if not isinstance(base, str):
            raise ConfigError.at(where, problem, expected="the path of one file, or a preset")
        try:
            base_path = find_config(parse_path(base), path.parent)
            exists = base_path.exists()
        except (ValueError, OSError) as error:  # an OSError, for example, without permission
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError.at(where, f"{EXTENDS}: {reason}", expected="the path of one file, or a preset") from error
        if not exists:
            problem += f", but there is no file {printable(base_path)}"
            expected = f"a path relative to the folder of {path.name}, or a preset: {', '.join(presets())}"
            raise ConfigError.at(where, problem, expected=expected, remedy="correct the path")
        lower = cls.load(base_path, extended_by=(*extended_by, path))
        return cls(merge(lower.values, config.values), lower.origins | config.origins)

    @classmethod
    def _read(cls, path: Path) -> Self:
        values, origins = parse_yaml(_read_text(path), lambda line: f"{path}:{line}")
        if not isinstance(values, dict | None):
            problem = f"{path} is not a mapping of keys to values"
            raise ConfigError(problem, expected="lines such as `seed: 1`", remedy="correct it")
        return cls(values or {}, {(): str(path), **origins})

    def overridden(self, overrides: Sequence[str], sections: Mapping[str, Any] | None = None) -> Self:
        """Return this configuration with `key.path=value` overrides, and then sections of values, merged over it."""
        settings = [(*parse_override(override), _place(override)) for override in overrides]
        settings += [(key_path, value, f"the argument {key_path[0]}") for key_path, value in _leaves(sections or {})]
        # Merged with each other first: `source.kind=idx` must not undo an earlier `source.path=...`.
        values: dict[str, Any] = {}
        exact: dict[KeyPath, str] = {}
        parents: dict[KeyPath, str] = {}
        for key_path, value, place in settings:
            mapping = values
            for depth, key in enumerate(key_path[:-1], start=1):
                parents[key_path[:depth]] = place
                if not isinstance(mapping.setdefault(key, {}), dict):
                    mapping[key] = {}
                mapping = mapping[key]
            mapping[key_path[-1]] = value
            exact[key_path] = place
        # An override also replaces everything below its key.
        kept = {
            key_path: origin
            for key_path, origin in self.origins.items()
            if not any(key_path[: len(replaced)] == replaced for replaced in exact if len(replaced) < len(key_path))
            and not (key_path in parents and not self._has_section(key_path))
        }
        return type(self)(merge(self.values, values), parents | kept | exact)

    def _has_section(self, key_path: KeyPath) -> bool:
        value: Any = self.values
        for key in key_path:
            value = value[key]
        return isinstance(value, dict)

    def where(self, key_path: KeyPath) -> str:
        """Return the file and line, or the override, that set a value or its nearest parent."""
        for depth in range(len(key_path), -1, -1):
            if origin := self.origins.get(key_path[:depth]):
                return origin
        return "the configuration"


def find_config(path: Path, folder: Path = Path()) -> Path:
    """Return a path relative to a folder, or the path of the preset that it names, if there is no such file."""
    is_name = len(path.parts) == 1 and not (folder / path).is_file()
    return PRESETS / f"{path}.yaml" if is_name and str(path) in presets() else folder / path


def presets() -> list[str]:
    """Return the names of all presets, such as `digits`."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _leaves(values: Mapping[str, Any], parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the key path and the value of everything in nested mappings that is not a mapping."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*parents, key))
        else:
            yield (*parents, key), value


def parse_override(override: str) -> tuple[tuple[str, ...], Any]:
    """Return the key path and the value of `key.path=value`.

    >>> parse_override("trainer.network.filters=[8, 16]")
    (('trainer', 'network', 'filters'), [8, 16])
    """
    key, equals, text = override.partition("=")
    keys = tuple(key.strip().split("."))
    where = _place(override)
    if not equals or not all(keys):
        problem = "the key is empty" if equals else "there is no `=`"
        raise ConfigError.at(where, problem, expected="key.path=value, such as trainer.epochs=3")
    if keys[0] == EXTENDS:
        remedy = "name the other file with --config"
        raise ConfigError.at(where, "only a file can extend another", expected="another key", remedy=remedy)
    return keys, parse_yaml(text, lambda _: where)[0]


def _place(override: str) -> str:
    return f"{SET}{printable(override)}"


def _check_chain(path: Path, extended_by: tuple[Path, ...]) -> None:
    if path in extended_by:
        problem = f"{path} extends itself through {extended_by[-1]}"
    elif len(extended_by) == MAX_EXTENDED_FILES:
        problem = f"{extended_by[0]} extends a chain of {len(extended_by)} files"
    else:
        return
    expected = f"a chain of at most {MAX_EXTENDED_FILES} different files"
    raise ConfigError(problem, expected=expected, remedy=f"remove one `{EXTENDS}`")


def _read_text(path: Path) -> str:
    expected, remedy = f"a YAML file, or a preset: {', '.join(presets())}", "name another with --config"
    try:
        with open_regular(path, expected) as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            reason = f"it has more than {format_size(MAX_FILE_BYTES)}"
        elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            reason, remedy = "it is UTF-16 text", "save it as UTF-8"
        else:
            return content.decode("utf-8-sig")
    except DataError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = error.__cause__.strerror or str(error.__cause__)
    except UnicodeDecodeError:
        reason, remedy = "it is not UTF-8 text", "save it as UTF-8"
    raise ConfigError(f"the configuration {path} cannot be read: {reason}", expected=expected, remedy=remedy)


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Return `lower` with `upper` merged over it.

    >>> merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    >>> merge({"source": {"kind": "tfds", "name": "mnist"}}, {"source": {"kind": "digits"}})
    {'source': {'kind': 'digits'}}
    >>> merge({"trainer": {"epochs": 3}}, {"trainer": {"use": "mine:MyTrainer"}})
    {'trainer': {'use': 'mine:MyTrainer'}}
    >>> merge({"source": {"use": "mine:MySource"}}, {"source": {"kind": "digits"}})
    {'source': {'kind': 'digits'}}
    """
    merged = dict(lower)
    for key, value in upper.items():
        below: Any = lower.get(key)
        are_mappings = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = merge(below, value) if are_mappings and not _changes_choice(below, value) else value
    return merged


def _changes_choice(lower: dict[str, Any], upper: dict[str, Any]) -> bool:
    if USE in upper and upper[USE] != lower.get(USE):
        return True  # without `use`, the lower mapping is for the slot's own component
    if USE in lower and USE not in upper and any(choice in upper and choice not in lower for choice in CHOICES):
        return True  # a built-in kind in place of a custom class
    return any(choice in upper and choice in lower and upper[choice] != lower[choice] for choice in CHOICES)

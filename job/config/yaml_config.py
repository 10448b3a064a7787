"""YAML configuration files: values that extend and override each other, and the file and line of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from components.base.errors import ConfigError, first_line
from job.pipeline.slots import USE

SET = "--set "
"""Begins the origin of a value that the command line set."""
EXTENDS = "extends"
CHOICES = ("kind", "schedule")
"""Keys that, like `use`, choose the meaning of the others in their mapping: another choice replaces the mapping."""

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlConfig:
    """Nested values, and the file and line, or the override, that set each."""

    values: dict[str, Any]
    origins: dict[KeyPath, str]

    @classmethod
    def load(cls, path: Path, *, extended_by: tuple[Path, ...] = ()) -> Self:
        """Read a YAML file, merged over the files that it extends."""
        path = Path(os.path.normpath(path))
        if path in extended_by:
            problem, remedy = f"{path} extends itself through {extended_by[-1]}", f"remove one `{EXTENDS}`"
            raise ConfigError(problem, expected="files that do not extend each other in a circle", remedy=remedy)
        config = cls._read(path)
        base = config.values.get(EXTENDS)
        if base is None:
            return config
        where = config.where((EXTENDS,))
        if not isinstance(base, str):
            raise ConfigError.at(where, f"{EXTENDS} is {base!r}", expected="the path of one file")
        if not (path.parent / base).is_file():
            problem = f"{EXTENDS} is {base!r}, but there is no file {path.parent / base}"
            expected = f"a path relative to the folder of {path.name}"
            raise ConfigError.at(where, problem, expected=expected, remedy="correct the path")
        lower = cls.load(path.parent / base, extended_by=(*extended_by, path))
        return cls(merge(lower.values, config.values), lower.origins | config.origins)

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            remedy = "name another with --config; configs/ contains examples"
            problem = f"the configuration {path} cannot be read: {reason}"
            raise ConfigError(problem, expected="a YAML file", remedy=remedy) from error
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            values = {} if node is None else loader.construct_document(node)
        except Exception as error:  # as in `parse_override`
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            problem = f"this is not YAML: {getattr(error, 'problem', None) or first_line(error)}"
            raise ConfigError.at(where, problem, expected="a YAML mapping", remedy="correct the line") from error
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            problem = f"{path} is not a mapping of keys to values"
            raise ConfigError(problem, expected="lines such as `seed: 1`", remedy="correct it")
        origins: dict[KeyPath, str] = {(): str(path)}
        if node is not None:
            _record_lines(node, (), str(path), origins, set())
        return cls(values, origins)

    def overridden(self, overrides: Sequence[str]) -> Self:
        """Return this configuration with all `key.path=value` overrides merged over it."""
        # Merged with each other first: `source.kind=idx` must not undo an earlier `source.path=...`.
        values: dict[str, Any] = {}
        exact: dict[KeyPath, str] = {}
        parents: dict[KeyPath, str] = {}
        for override in overrides:
            key_path, value = parse_override(override)
            mapping = values
            for depth, key in enumerate(key_path[:-1], start=1):
                parents[key_path[:depth]] = f"{SET}{override}"
                if not isinstance(mapping.setdefault(key, {}), dict):
                    mapping[key] = {}
                mapping = mapping[key]
            mapping[key_path[-1]] = value
            exact[key_path] = f"{SET}{override}"
        # An override also replaces everything below its key.
        kept = {
            key_path: origin
            for key_path, origin in self.origins.items()
            if not any(key_path[: len(replaced)] == replaced for replaced in exact if len(replaced) < len(key_path))
        }
        return type(self)(merge(self.values, values), parents | kept | exact)

    def where(self, key_path: KeyPath) -> str:
        """Return the file and line, or the override, that set a value or its nearest parent."""
        for depth in range(len(key_path), -1, -1):
            if origin := self.origins.get(key_path[:depth]):
                return origin
        return "the configuration"


def parse_override(override: str) -> tuple[tuple[str, ...], Any]:
    """Return the key path and the value of `key.path=value`.

    >>> parse_override("trainer.network.filters=[8, 16]")
    (('trainer', 'network', 'filters'), [8, 16])
    """
    key, equals, text = override.partition("=")
    keys = tuple(key.strip().split("."))
    where = f"{SET}{override}"
    if not equals or not all(keys):
        problem = "the key is empty" if equals else "there is no `=`"
        raise ConfigError.at(where, problem, expected="key.path=value, such as trainer.epochs=3")
    if keys[0] == EXTENDS:
        remedy = "name the other file with --config"
        raise ConfigError.at(where, "only a file can extend another", expected="another key", remedy=remedy)
    try:
        return keys, yaml.safe_load(text)
    except Exception as error:  # PyYAML raises its own errors, and others for a value that contradicts its tag
        problem = f"the value is not YAML: {first_line(error)}"
        raise ConfigError.at(where, problem, expected="a YAML value", remedy="quote it") from error


def join(key_path: KeyPath) -> str:
    """Return a key path as --set takes it, such as `trainer.network.filters.0`."""
    return ".".join(str(key) for key in key_path)


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Return `lower` with `upper` merged over it.

    >>> merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    >>> merge({"source": {"kind": "tfds", "name": "mnist"}}, {"source": {"kind": "digits"}})
    {'source': {'kind': 'digits'}}
    >>> merge({"trainer": {"epochs": 3}}, {"trainer": {"use": "mine:MyTrainer"}})
    {'trainer': {'use': 'mine:MyTrainer'}}
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
    return any(choice in upper and choice in lower and upper[choice] != lower[choice] for choice in CHOICES)


def _record_lines(node: Any, parent: KeyPath, file: str, origins: dict[KeyPath, str], seen: set[int]) -> None:
    """Record the line of each key. The target of several aliases is visited once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            key_path = (*parent, key.value)
            line = f"{file}:{key.start_mark.line + 1}"
            if key.value in keys and key.tag != "tag:yaml.org,2002:merge":
                problem = f"{join(key_path)} is set twice"
                raise ConfigError.at(line, problem, expected="each key once", remedy="remove one")
            keys.add(key.value)
            origins[key_path] = line
            _record_lines(value, key_path, file, origins, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            origins[(*parent, index)] = f"{file}:{value.start_mark.line + 1}"
            _record_lines(value, (*parent, index), file, origins, seen)

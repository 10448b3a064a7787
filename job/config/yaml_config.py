"""A configuration document: the values of YAML files that extend each other, and where each was said."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.base.errors import ConfigError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTENDS = "extends"
USE = "use"
CHOICES = ("kind", "schedule")
"""Keys that, like `use`, choose what the others in their mapping mean: another choice replaces the whole mapping."""

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlConfig:
    """Nested values, and the file and line that said each."""

    values: dict[str, Any]
    origins: dict[Place, str]

    @classmethod
    def load(cls, path: Path) -> YamlConfig:
        """Read a YAML file over everything that it extends.

        Raises:
            ConfigError: if a file is missing, is no YAML mapping, or extends itself.
        """
        return cls._load(path, seen=())

    @classmethod
    def _load(cls, path: Path, seen: tuple[Path, ...]) -> YamlConfig:
        path = Path(os.path.normpath(path))
        if path in seen:
            raise ConfigError(
                f"{path} extends itself, by way of {seen[-1]}",
                expected="files that extend each other in one direction",
                remedy=f"take one `{EXTENDS}` away",
            )
        document = read_yaml(path)
        base = document.values.get(EXTENDS)
        if base is None:
            return document
        if not isinstance(base, str):
            raise ConfigError(
                f"{document.where((EXTENDS,))}: {EXTENDS} is {base!r}",
                expected="the path of one file",
                remedy="correct it",
            )
        if not (path.parent / base).is_file():
            raise ConfigError(
                f"{document.where((EXTENDS,))}: {EXTENDS} names {base}, and there is no file {path.parent / base}",
                expected=f"a file, seen from the folder of {path.name}",
                remedy="correct the path",
            )
        return cls._load(path.parent / base, (*seen, path)).over(document)

    def over(self, upper: YamlConfig) -> YamlConfig:
        """Return this document with another laid over it: mappings merge, everything else is replaced."""
        return YamlConfig(merge(self.values, upper.values), self.origins | upper.origins)

    def overridden(self, overrides: Sequence[str]) -> YamlConfig:
        """Return this document with `key.path=value` overrides laid over it, all together.

        Raises:
            ConfigError: if one has no `=`, its value is no YAML, or it extends.
        """
        # Plainly merged first: `source.kind=idx` must not undo a `source.path=...` said before it.
        values: dict[str, Any] = {}
        exact: dict[Place, str] = {}
        parents: dict[Place, str] = {}
        for override in overrides:
            place, value = parse_override(override)
            below = values
            for depth, key in enumerate(place[:-1], start=1):
                parents[place[:depth]] = f"--set {override}"
                if not isinstance(below.setdefault(key, {}), dict):
                    below[key] = {}
                below = below[key]
            below[place[-1]] = value
            exact[place] = f"--set {override}"
        # What a file said below a value that is replaced is not said any more.
        kept = {
            place: origin
            for place, origin in self.origins.items()
            if not any(place[: len(said)] == said for said in exact if len(said) < len(place))
        }
        return YamlConfig(merge(self.values, values), parents | kept | exact)

    def where(self, place: Place) -> str:
        """Return the file and line, or the override, that said a value or the nearest of its parents."""
        for depth in range(len(place), -1, -1):
            if origin := self.origins.get(place[:depth]):
                return origin
        return "the configuration"


def parse_override(override: str) -> tuple[tuple[str, ...], Any]:
    """Return the place and the value of `key.path=value`.

    Raises:
        ConfigError: if it has no `=`, its value is no YAML, or it extends.
    """
    text = override.partition("=")[2]
    keys = tuple(override.partition("=")[0].strip().split("."))
    said = f"--set {override}"
    if "=" not in override or not all(keys):
        raise ConfigError(
            f"{said}: the key is empty" if "=" in override else f"{said}: there is no `=`",
            expected="key.path=value, such as trainer.epochs=3",
            remedy="correct it",
        )
    if keys[0] == EXTENDS:
        raise ConfigError(
            f"{said}: only a file can extend another",
            expected="another key",
            remedy="name the other file with --config",
        )
    try:
        return keys, yaml.safe_load(text)
    except Exception as error:  # PyYAML raises its own errors, and many more for a value that its tag belies
        raise ConfigError(
            f"{said}: the value is not YAML: {first_line(error)}", expected="a YAML value", remedy="quote it"
        ) from error


def join(place: Place) -> str:
    """Return a place as it is written with --set, such as `trainer.network.filters.0`."""
    return ".".join(str(key) for key in place)


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Return `lower` with `upper` over it.

    >>> merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    >>> merge({"source": {"kind": "tfds", "name": "mnist"}}, {"source": {"kind": "digits"}})
    {'source': {'kind': 'digits'}}
    >>> merge({"trainer": {"epochs": 3}}, {"trainer": {"use": "mine:MyTrainer"}})
    {'trainer': {'use': 'mine:MyTrainer'}}
    """
    merged = dict(lower)
    for key, value in upper.items():
        below = lower.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and not _chooses_otherwise(below, value):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _chooses_otherwise(below: dict[str, Any], above: dict[str, Any]) -> bool:
    if USE in above and above[USE] != below.get(USE):
        return True  # without `use`, what is below is for the slot's own component
    return any(choice in above and choice in below and above[choice] != below[choice] for choice in CHOICES)


def read_yaml(path: Path) -> YamlConfig:
    """Read one YAML file, safely.

    Raises:
        ConfigError: if it is missing, cannot be read, is not a mapping, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"the configuration {path} cannot be read: {reason}",
            expected="a YAML file",
            remedy="name another with --config; configs/ has some to begin with",
        ) from error
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            values = {} if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except Exception as error:  # PyYAML raises its own errors, and many more for a value that its tag belies
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{path}{line}: this is not YAML: {getattr(error, 'problem', None) or first_line(error)}",
            expected="a YAML mapping",
            remedy="correct the line",
        ) from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(
            f"{path} is not a mapping of keys to values",
            expected="lines such as `seed: 1`",
            remedy="correct it",
        )
    origins: dict[Place, str] = {(): str(path)}
    if node is not None:
        _note_lines(node, (), str(path), origins, set())
    return YamlConfig(values, origins)


def _note_lines(node: Any, place: Place, file: str, origins: dict[Place, str], seen: set[int]) -> None:
    """Note the line of each key; an alias is gone through once, wherever it stands."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        said: set[str] = set()
        for key, value in node.value:
            below = (*place, key.value)
            line = f"{file}:{key.start_mark.line + 1}"
            if key.value in said and key.tag != "tag:yaml.org,2002:merge":
                raise ConfigError(
                    f"{line}: {join(below)} is said twice", expected="each key once", remedy="take one away"
                )
            said.add(key.value)
            origins[below] = line
            _note_lines(value, below, file, origins, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            origins[(*place, index)] = f"{file}:{value.start_mark.line + 1}"
            _note_lines(value, (*place, index), file, origins, seen)

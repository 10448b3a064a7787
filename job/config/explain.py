"""Explain an invalid configuration: pydantic's errors as one sentence with file and line, and the nearest key."""

import difflib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from components.base.errors import ConfigError
from components.base.extension import USE
from components.base.importing import load_object
from components.base.text import printable
from job.config.core_schema import as_written, resolve
from job.config.expected import Expected
from job.config.yaml_config import EXTENDS, SET, SWEEP, YamlConfig
from job.config.yaml_loader import KeyPath, join
from job.pipeline.slots import SLOTS, read_section
from job.pipeline.steps import AFTER, STEPS

CREDENTIALS = "credentials"
"""Type of the error for a URI with a password."""
PIPELINE = "pipeline"
"""Field of the configuration whose sections are at the top level of a file."""
KEY = "[key]"
"""Last part of pydantic's location of a key of a mapping."""
PYDANTIC_ERRORS = frozenset({*get_args(ErrorType), "path_type"})
"""Types of errors with pydantic's text. The text of all other types is the job's, and states what is expected."""
YAML_1_1_BOOLEANS = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}


def explain(document: YamlConfig, model: type[BaseModel], error: ValidationError) -> ConfigError:
    """Return the error for the first mistake in a document that a model rejected."""
    errors = error.errors(include_url=False)
    # A misspelled key often leaves another one missing: report the misspelling.
    first = min(errors, key=lambda other: other["type"] != "extra_forbidden")
    if first["type"] == CREDENTIALS:
        return _credentials(document, first["ctx"]["key"])
    location = first["loc"][1:] if first["loc"][0] == PIPELINE else first["loc"]
    kind, details = first["type"], first.get("ctx", {})
    if kind == "missing" and isinstance(location[-1], int):  # an item of a list
        kind, location = "too_short", location[:-1]
    key_path = _written_keys(document.values, location, is_missing=kind == "missing")
    where, name = document.where(key_path), join(key_path)
    if kind == USE:
        key_path = (*key_path, USE)
        problem = f"{join(key_path)}: {details['headline']}"
        return ConfigError.at(document.where(key_path), problem, expected=details["expected"], remedy=details["remedy"])
    if kind == "extra_forbidden" or location[-1] == KEY:
        section = location[:-2] if location[-1] == KEY else location[:-1]
        return unknown_key(where, key_path, details.get("names") or _known_keys(document, model, section))
    if kind in ("value_error", "assertion_error"):
        return ConfigError.at(where, f"{name}: {details['error']}", remedy=f"change {name}")
    expected = _expected(document, model, location)
    value, text = first["input"], expected.describe()
    if "discriminator" in details:  # the key that selects the variant of a section
        key_path = (*key_path, details["discriminator"].strip("'"))
        where, name, value = document.where(key_path), join(key_path), value.get(key_path[-1])
        text = f"one of {', '.join(expected.tags())}"
    if kind in ("missing", "union_tag_not_found"):
        remedy = f"add `{key_path[-1]}` to {join(key_path[:-1])}"
        return ConfigError.at(where, f"{name} is missing", expected=text or "a value for it", remedy=remedy)
    if kind in ("too_long", "too_short"):
        problem = f"{name} has {len(value)} value{'' if len(value) == 1 else 's'}"
        return ConfigError.at(where, problem, expected=text, remedy="write that many")
    is_ours = kind not in PYDANTIC_ERRORS
    if is_ours or not text:
        text = first["msg"].removeprefix("Input should be ")
    if kind == "path_type":
        text = "text, a path"
    if kind == "finite_number":
        text = text.replace("a number", "a finite number")
    remedy = "" if is_ours or "discriminator" in details else _remedy_of_type(key_path[-1], value, expected)
    remedy = remedy or f"set {name} to such a value"
    return ConfigError.at(where, f"{name} is {as_written(value)}", expected=text, remedy=remedy)


def _credentials(document: YamlConfig, key: str) -> ConfigError:
    where = document.where(tuple(key.split(".")))
    if where.startswith(SET):  # without the value: it may contain a secret in a form that no rule covers
        where = f"{SET}{key}"
    problem = f"{key} contains a password or token, which run.json would record"
    instead = "set MLFLOW_TRACKING_URI instead" if key == "tracking.mlflow.uri" else "remove it"
    return ConfigError.at(where, problem, expected="a URI without them", remedy=instead)


def unknown_key(where: str, key_path: KeyPath, siblings: Sequence[str]) -> ConfigError:
    """Return the error for an unknown key, with the nearest known one."""
    section, dot, below = str(key_path[-1]).partition(".")
    if dot and section in siblings:  # as --set takes it
        remedy = f"write `{section}:`, and `{printable(below)}:` indented below it"
    elif near := difflib.get_close_matches(section, siblings, n=1, cutoff=0.5):
        remedy = f"did you mean {join((*key_path[:-1], near[0]))}?"
    else:
        remedy = "remove it; `python -m job schema` lists every key"
    problem = f"{join(key_path)} is not a key of the configuration"
    expected = f"one of {', '.join(siblings)}" if siblings else "no key here"
    return ConfigError.at(where, problem, expected=expected, remedy=remedy)


def top_level_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys at the top level of a file."""
    return [*(name for name in model.model_fields if name != PIPELINE), EXTENDS, *SLOTS, STEPS, SWEEP]


def _written_keys(values: Any, location: Sequence[str | int], *, is_missing: bool) -> KeyPath:
    """Return the keys of one of pydantic's locations as the user wrote them, without the tags of unions."""
    keys: list[str | int] = []
    for depth, part in enumerate(location, start=1):
        in_mapping = isinstance(values, dict) and part in values
        in_list = isinstance(values, list) and isinstance(part, int)
        if in_mapping or in_list or (is_missing and depth == len(location)):
            keys.append(part)
            values = values[part] if in_mapping or (in_list and int(part) < len(values)) else None
    return tuple(keys)


def _expected(document: YamlConfig, model: type[BaseModel], location: Sequence[str | int]) -> Expected:
    slot, *rest = location
    if slot == STEPS and len(rest) > 1:
        name, *rest = rest
        return Expected.at(load_object(document.values[STEPS][name][USE]).Config, rest)
    if slot not in SLOTS:
        return Expected.at(model, location)
    cls, _ = read_section(slot, document.values.get(slot) or {})
    return Expected.at(cls.Config, rest)


def _known_keys(document: YamlConfig, model: type[BaseModel], section: Sequence[str | int]) -> list[str]:
    if not section:
        return top_level_keys(model)
    if section[0] == STEPS and len(section) == 2:
        config = load_object(document.values[STEPS][section[1]][USE]).Config
        return [USE, AFTER, *config.model_fields]
    names = _expected(document, model, section).keys()
    return [*names, USE] if len(section) == 1 and section[0] in SLOTS else names


def _remedy_of_type(key: str | int, value: Any, expected: Expected) -> str:
    """Return how to write a value of the expected type; empty if only the user can decide it."""
    if isinstance(value, str) and expected.type in ("boolean", "integer", "number"):
        reason = f"YAML 1.2 reads {printable(value)} as text"
        if expected.type == "boolean" and (word := YAML_1_1_BOOLEANS.get(value.lower())):
            return f"write {word}; {reason}"
        with suppress(OverflowError):
            if not isinstance(resolve(value), str | None):
                return "write it without quotes"
        if expected.type != "boolean" and any(map(str.isdigit, value)):
            return f"write a number such as 1000 or 1e-3; {reason}"
    if expected.type == "string" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if expected.type == "array" and isinstance(value, int | float | str) and str(value):
        return f"write it as a list: [{printable(value, 40)}]"
    if expected.type == "integer" and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    if keys := expected.keys():
        return f"write `{key}: {{{keys[0]}: ...}}`"
    return ""

"""Explain an invalid configuration: pydantic's errors as one sentence with file and line, and the nearest key."""

import difflib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from components.base.errors import ConfigError
from job.config.yaml_config import EXTENDS, SET, KeyPath, YamlConfig, join
from job.pipeline.slots import SLOTS, USE, load_component_class

CREDENTIALS = "credentials"
"""Type of the error for a URI with a password."""
PIPELINE = "pipeline"
"""Field of the configuration whose sections are at the top level of a file."""


def explain(document: YamlConfig, model: type[BaseModel], error: ValidationError) -> ConfigError:
    """Return the error for the first mistake in a document that a model rejected."""
    errors = error.errors(include_url=False)
    # A misspelled key often leaves another one missing: report the misspelling.
    first = min(errors, key=lambda other: other["type"] != "extra_forbidden")
    if first["type"] == CREDENTIALS:
        return _credentials(document, first["ctx"]["key"])
    location = first["loc"][1:] if first["loc"][0] == PIPELINE else first["loc"]
    kind = first["type"]
    key_path = _written_keys(document.values, location, is_missing=kind == "missing")
    where = document.where(key_path)
    if kind == "extra_forbidden":
        return unknown_key(where, key_path, _known_keys(document, model, location[:-1]))
    if kind == USE:
        where, details = document.where((*key_path, USE)), first["ctx"]
        return ConfigError.at(where, details["headline"], expected=details["expected"], remedy=details["remedy"])
    if kind == "missing" and isinstance(location[-1], int):
        count = location[-1]
        missing = sum(other["type"] == "missing" and other["loc"][:-1] == first["loc"][:-1] for other in errors)
        problem = f"{join(key_path[:-1])} has {count} value{'' if count == 1 else 's'}"
        return ConfigError.at(where, problem, expected=f"{count + missing} values", remedy="write one for each")
    tag = str(first.get("ctx", {}).get("discriminator", "")).strip("'")
    if kind in ("missing", "union_tag_not_found"):
        missing_key = key_path if kind == "missing" else (*key_path, tag)
        remedy = f"add `{missing_key[-1]}` to {join(missing_key[:-1])}"
        return ConfigError.at(where, f"{join(missing_key)} is missing", expected="a value for it", remedy=remedy)
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return ConfigError.at(where, f"{join(key_path)}: {message}", remedy=f"change {join(key_path)}")
    value, remedy = first["input"], f"set {join(key_path)} to such a value"
    if kind in ("tuple_type", "list_type", "frozen_set_type", "set_type"):  # YAML writes all of them as a list
        message = "a list, such as [a, b]"
    elif kind == "union_tag_invalid":
        key_path, value, message = (*key_path, tag), first["ctx"]["tag"], f"one of {first['ctx']['expected_tags']}"
        where, remedy = document.where(key_path), f"set {join(key_path)} to one of these"
    elif children := _known_keys(document, model, location):
        message = f"a section with keys of {', '.join(children)}"
        remedy = f"write `{key_path[-1]}: {{{children[0]}: ...}}`"
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return ConfigError.at(where, f"{join(key_path)} is {text}", expected=message, remedy=remedy)


def _credentials(document: YamlConfig, key: str) -> ConfigError:
    where = document.where(tuple(key.split(".")))
    if where.startswith(SET):  # without the value: it may contain a secret in a form that no rule covers
        where = f"{SET}{key}"
    problem = f"{key}: it contains a password or token, which run.json would record"
    instead = "set MLFLOW_TRACKING_URI instead" if key == "tracking.mlflow.uri" else "remove it"
    return ConfigError.at(where, problem, expected="a URI without them", remedy=instead)


def unknown_key(where: str, key_path: KeyPath, siblings: Sequence[str]) -> ConfigError:
    """Return the error for an unknown key, with the nearest known one."""
    near = difflib.get_close_matches(str(key_path[-1]), siblings, n=1, cutoff=0.5)
    suggestion = join((*key_path[:-1], near[0])) if near else ""
    return ConfigError.at(
        where,
        f"{join(key_path)} is not a key of the configuration",
        expected=f"one of {', '.join(siblings)}" if siblings else "no key here",
        remedy=f"did you mean {suggestion}?" if near else "remove it; `python -m job schema` lists every key",
    )


def top_level_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys at the top level of a file."""
    return [*(name for name in model.model_fields if name != PIPELINE), EXTENDS, *SLOTS]


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


def _known_keys(document: YamlConfig, model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    if not location:
        return top_level_keys(model)
    slot, *rest = location
    if slot not in SLOTS:
        return _schema_keys(model.model_json_schema(), location)
    use = (document.values.get(slot) or {}).get(USE)
    cls = SLOTS[slot] if use is None else load_component_class(slot, str(use))
    keys = _schema_keys(cls.Config.model_json_schema(), rest)
    return keys if rest else [*keys, USE]


def _schema_keys(schema: dict[str, Any], location: Sequence[str | int]) -> list[str]:
    """Return the keys of the section at one of pydantic's locations in a JSON Schema; none if it is not a section."""
    current = _resolve(schema, schema)
    for part in location:
        if part in (variants := _variants(current)):
            current = {"$ref": variants[str(part)]}
        elif isinstance(part, int):
            items = current.get("prefixItems", [])
            current = items[part] if part < len(items) else current.get("items", {})
        else:
            below = current.get("properties", {}).get(part, current.get("additionalProperties"))
            current = below if isinstance(below, dict) else {}
        current = _resolve(schema, current)
    sections = [current, *(_resolve(schema, {"$ref": variant}) for variant in _variants(current).values())]
    return list(dict.fromkeys(name for section in sections for name in section.get("properties", {})))


def _variants(schema: dict[str, Any]) -> dict[str, str]:
    return dict(schema.get("discriminator", {}).get("mapping", {}))


def _resolve(schema: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Follow references; of a value that may be null, return the other schema."""
    while True:
        if reference := current.get("$ref"):
            current = schema["$defs"][reference.rsplit("/", 1)[-1]]
        elif others := [option for option in current.get("anyOf", []) if option.get("type") != "null"]:
            current = others[0]
        else:
            return current

"""The JSON Schema of the configuration, for editors and for finding one's place in it."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from components.base.component import SEED_LIMIT, ComponentConfig
from components.base.memory import DEFAULT_MEMORY_BUDGET, MEMORY_BUDGET_SCHEMA
from job.config.tracking import TrackingConfig, TrackingPart
from job.options import DEFAULT_ROOT, DEFAULT_SEED
from job.pipeline.slots import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

TITLE = "mnist-job configuration"
OURS = ("components", "job")
"""Packages whose configurations' docstrings describe their keys."""


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    models: list[type[BaseModel]] = [*(cls.Config for cls in SLOTS.values()), TrackingConfig]
    names, definitions = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    _describe(definitions["$defs"])
    sections = {}
    for slot, cls in SLOTS.items():
        own = names[(cls.Config, "validation")]
        swapped = {
            "type": "object",
            "required": ["use"],
            "properties": {"use": {"type": "string", "pattern": "^[A-Za-z0-9_.]+:[A-Za-z0-9_]+$"}},
        }
        sections[slot] = {
            "description": (cls.Config.__doc__ or "").strip().splitlines()[0],
            # With `use` the rest is another class's configuration, which this schema cannot know.
            "if": {"type": "object", "required": ["use"]},
            "then": swapped,
            "else": {"anyOf": [own, {"type": "null"}]},
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "extends": {
                "type": "string",
                "description": "Another configuration file that this one is laid over.",
            },
            "root": {
                "type": "string",
                "minLength": 1,
                "default": DEFAULT_ROOT,
                "description": "Where artifacts and runs are kept.",
            },
            "seed": {
                "type": "integer",
                "default": DEFAULT_SEED,
                "minimum": 0,
                "exclusiveMaximum": SEED_LIMIT,
                "description": "Given to every component that has a seed and sets none.",
            },
            "memory_budget": {
                **MEMORY_BUDGET_SCHEMA,
                "default": DEFAULT_MEMORY_BUDGET,
                "description": "How much memory the images that a component holds at once may take, beside the "
                "libraries that it works with, such as 1GB or 512MiB; given to every component that has such a key "
                "and sets none. No result depends on it.",
            },
            "tracking": {
                "description": (TrackingConfig.__doc__ or "").strip(),
                "anyOf": [names[(TrackingConfig, "validation")], {"type": "null"}],
            },
            **sections,
        },
        "$defs": definitions["$defs"],
    }


def _describe(definitions: dict[str, Any]) -> None:
    """Give every property the docstring that stands below its attribute in the source.

    pydantic could do so itself, but when the class is made: every start would pay for it.
    """
    waiting: list[type[BaseModel]] = [ComponentConfig, TrackingPart]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        properties = definitions.get(cls.__name__, {}).get("properties", {})
        if cls.__module__.partition(".")[0] in OURS and properties:
            for name, text in attribute_docstrings(cls).items():
                properties[name]["description"] = text


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the string that stands below each annotated attribute of a class, in one line."""
    (tree,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101  (it is the source of a class)
    return {
        attribute.target.id: " ".join(below.value.value.split())
        for attribute, below in pairwise(tree.body)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def describe_place(schema: dict[str, Any], location: Sequence[str | int]) -> tuple[tuple[str | int, ...], list[str]]:
    """Follow one of pydantic's error locations through a model's JSON Schema.

    Args:
        schema: of the model that was validated.
        location: as in `ValidationError.errors()`; it also names the variants of unions.

    Returns:
        The keys of the location as the user wrote them, and which keys are known beside the last one.
    """
    keys: list[str | int] = []
    siblings: list[str] = []
    for part, above in _walk(schema, location):
        if part not in _variants(above):
            keys.append(part)
            siblings = list(above.get("properties", {}))
    return tuple(keys), siblings


def known_below(schema: dict[str, Any], location: Sequence[str | int]) -> list[str]:
    """Return which keys are known in the section at a location; none where there is no section."""
    *_, (_, section) = _walk(schema, (*location, ""))
    variants = [_resolve(schema, {"$ref": variant}) for variant in _variants(section).values()]
    return list(dict.fromkeys(name for part in (section, *variants) for name in part.get("properties", {})))


def _walk(schema: dict[str, Any], location: Sequence[str | int]) -> Iterator[tuple[str | int, dict[str, Any]]]:
    """Yield each part of a location with the schema that it stands in."""
    current = schema
    for part in location:
        current = _resolve(schema, current)
        yield part, current
        if part in (variants := _variants(current)):
            current = {"$ref": variants[str(part)]}
        elif isinstance(part, int):
            items = current.get("prefixItems", [])
            current = items[part] if part < len(items) else current.get("items", {})
        else:
            below = current.get("properties", {}).get(part, current.get("additionalProperties"))
            current = below if isinstance(below, dict) else {}


def _variants(schema: dict[str, Any]) -> dict[str, str]:
    """Return what each choice of a union refers to; empty where there is none."""
    mapping: dict[str, str] = schema.get("discriminator", {}).get("mapping", {})
    return mapping


def _resolve(schema: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and where null is allowed too, take what else is."""
    while True:
        if reference := current.get("$ref"):
            current = schema["$defs"][reference.rsplit("/", 1)[-1]]
        elif others := [option for option in current.get("anyOf", []) if option.get("type") != "null"]:
            current = others[0]
        else:
            return current

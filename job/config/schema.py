"""The JSON Schema of the configuration, for editors."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from components.base.component import ComponentConfig
from components.base.extension import USE
from job.config.config import OF_MACHINE, TRACKING, JobConfig
from job.config.engine import EngineConfig
from job.config.storage import StoragePart
from job.config.sweep import SPACE, SweepConfig, SweepPart
from job.config.tracking import TrackingPart
from job.config.yaml_config import EXTENDS, SWEEP
from job.docstrings import attribute_docstrings, docstring
from job.pipeline.slots import SLOTS
from job.pipeline.steps import AFTER, STEPS

SECTION_WITH_USE: dict[str, Any] = {
    "type": "object",
    "required": [USE],
    "properties": {USE: {"type": "string", "pattern": "^[A-Za-z0-9_.]+:[A-Za-z0-9_]+$"}},
}


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    models: list[type[BaseModel]] = [JobConfig, SweepConfig, *(cls.Config for cls in SLOTS.values())]
    references, schemas = models_json_schema([(model, "validation") for model in models])
    definitions = schemas["$defs"]
    described: list[type[BaseModel]] = [
        JobConfig,
        EngineConfig,
        *_subclasses(ComponentConfig),
        *_subclasses(TrackingPart),
        *_subclasses(StoragePart),
        *_subclasses(SweepPart),
    ]
    for model in described:
        if _is_ours(model) and model.__name__ in definitions:
            if text := docstring(model):  # pydantic does this, too, except in a Python without docstrings
                definitions[model.__name__]["description"] = text
            # pydantic can do this when a class is created, but every start of the job would pay for it.
            fields = definitions[model.__name__]["properties"]
            for cls in filter(_is_ours, reversed(model.__mro__)):
                for attribute, text in attribute_docstrings(cls).items():
                    if attribute in fields:  # an extension also has class variables
                        fields[attribute]["description"] = text
    del definitions["Pipeline"]  # in a file, its sections are at the top level
    properties = definitions.pop("JobConfig")["properties"] | {
        slot: {
            "description": docstring(cls.Config).splitlines()[0],
            # With `use`, the other keys are the config of a class that this schema does not cover.
            "if": {"type": "object", "required": [USE]},
            "then": SECTION_WITH_USE,
            "else": {"anyOf": [references[cls.Config, "validation"], {"type": "null"}]},
        }
        for slot, cls in SLOTS.items()
    }
    del properties["pipeline"]
    properties[STEPS] = {
        "type": "object",
        "description": "Custom steps by name; each follows a component or another step.",
        "additionalProperties": {
            **SECTION_WITH_USE,
            "required": [USE, AFTER],
            "properties": {**SECTION_WITH_USE["properties"], AFTER: {"type": "string"}},
        },
    }
    properties[SWEEP] = {
        "description": "Values that the command `sweep` tries.",
        "if": {"type": "object", "required": [SPACE]},
        "then": references[SweepConfig, "validation"],
        "else": {"type": ["object", "null"], "additionalProperties": {"type": ["array", "object"]}},
    }
    for key in (TRACKING, *OF_MACHINE):
        properties[key]["anyOf"] = [{"$ref": properties[key].pop("$ref")}, {"type": "null"}]
    extends = {"type": "string", "description": "A configuration file or a preset, over which this one is merged."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mnist-job configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {EXTENDS: extends, **properties},
        "$defs": definitions,
    }


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith(("components.", "job."))


def _subclasses(cls: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)

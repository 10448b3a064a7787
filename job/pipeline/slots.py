"""The slots of the pipeline, and the check that a component fits its slot."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from components import Component, ComponentConfig, Evaluator, ExampleGen, Pusher, Trainer, Transform, Visualizer
from components.base.errors import ConfigError, one_line

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

SLOTS: dict[str, type[Component[Any]]] = {
    "example_gen": ExampleGen,
    "transform": Transform,
    "trainer": Trainer,
    "evaluator": Evaluator,
    "visualizer": Visualizer,
    "pusher": Pusher,
}
"""Default component of each slot. The annotations of its `run` define the slot's artifact types."""
OPTIONAL_SLOTS = frozenset({"pusher"})
"""Slots that are empty unless the configuration names a component."""


USE = "use"
"""Key of a section that replaces the component of the slot."""


@dataclass(frozen=True)
class InSlot:
    """Annotation of a field that holds the component in a slot.

    The value is a component, or a section of the configuration: the component's config, and `use` for another class.
    Config keys that are missing and in the validation context are taken from there (`seed`, `memory_budget`).
    """

    slot: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object"}  # `job.config.schema` adds the keys

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> Component[Any] | None:
        if isinstance(value, Mapping):
            return self._from_section(value, info.context or {})
        if value is None and self.slot in OPTIONAL_SLOTS:
            return None
        check_slot(self.slot, value)
        if not isinstance(value, Component):
            name = getattr(value, "__name__", "")
            raise ConfigError(
                f"the {self.slot} is the class {name}, not a component",
                expected="an instance of the class",
                remedy=f"write {self.slot}={name}()",
            )
        return value

    def _from_section(self, section: Mapping[str, Any], defaults: Mapping[str, Any]) -> Component[Any]:
        settings = dict(section)
        use = settings.pop(USE, None)
        try:
            cls = SLOTS[self.slot] if use is None else load_component_class(self.slot, str(use))
        except ConfigError as error:  # pydantic adds the location of the section
            details = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy}
            raise PydanticCustomError(USE, "{headline}", details) from error
        shared = {key: value for key, value in defaults.items() if key in cls.Config.model_fields}
        return cls(cls.Config.model_validate(shared | settings))


def import_string(cls: type) -> str:
    """Return the name of a class as `use` in a configuration takes it.

    >>> import_string(Trainer)
    'components.trainer.component:Trainer'
    """
    return f"{cls.__module__}:{cls.__qualname__}"


def find_slot(name: str) -> str:
    """Return the slot with a name such as `trainer` or `Trainer`."""
    names = {slot.replace("_", ""): slot for slot in SLOTS}
    requested = name.lower().replace("_", "")
    if requested in names:
        return names[requested]
    near = difflib.get_close_matches(requested, names, n=1)
    raise ConfigError(
        f"`{name}` is not a component",
        expected=", ".join(SLOTS),
        remedy=f"did you mean `{names[near[0]]}`?" if near else "name one of these",
    )


def check_slot(slot: str, component: object) -> None:
    """Check that a component, or its class, has the types of a slot."""
    cls = component if isinstance(component, type) else type(component)
    problem = f"{import_string(cls)} cannot be the {slot}"
    slot_types = SLOTS[slot].signature()
    if not (isinstance(cls, type) and issubclass(cls, Component)):
        raise ConfigError(
            f"{problem}: it is not a component",
            expected="a subclass of components.Component",
            remedy="derive the class from it; see components/README.md",
        )
    config = getattr(cls, "Config", None)
    if not (isinstance(config, type) and issubclass(config, ComponentConfig)):
        raise ConfigError(
            f"{problem}: it has no `Config`",
            expected="a subclass of components.ComponentConfig as its `Config`",
            remedy="add one; see components/README.md",
        )
    try:
        types = cls.signature()
    except (TypeError, NameError) as error:
        raise ConfigError(
            f"{problem}: {error}",
            expected=f"run(self, context, /, *, ...) with the types {slot_types}",
            remedy="annotate `run` with the artifact types",
        ) from error
    if not types.is_compatible_with(slot_types):
        raise ConfigError(
            f"{problem}: its types are {types}",
            expected=str(slot_types),
            remedy="change its `run` to these types, or use it in the slot that it fits",
        )


def load_component_class(slot: str, name: str) -> type[Component[Any]]:
    """Import `package.module:Class`, also from the working folder, and check that it fits the slot.

    Raises:
        ConfigError: if it cannot be imported, or does not fit.
    """
    module_name, colon, class_name = name.partition(":")
    expected = "an import string such as my_package.module:MyTrainer"
    if not (colon and module_name and class_name):
        raise ConfigError(f"{slot}.use is `{name}`", expected=expected, remedy="name a module and a class")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may raise anything when it is imported
        raise ConfigError(
            f"{slot}.use: {module_name} cannot be imported: {one_line(error)}",
            expected=expected,
            remedy="check that Python can import the module from this folder",
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        raise ConfigError(
            f"{slot}.use: the module {module_name} has no `{class_name}`",
            expected=expected,
            remedy="correct the name of the class",
        )
    check_slot(slot, cls)
    checked: type[Component[Any]] = cls
    return checked

"""The slots of the pipeline, and the check that a component fits its slot."""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from pydantic import PlainValidator, ValidationInfo

from components import Component, ComponentConfig, Evaluator, ExampleGen, Pusher, Trainer, Transform, Visualizer
from components.base.component import Signature
from components.base.errors import ConfigError
from components.base.extension import USE, use_error
from components.base.importing import import_string, load_object

SLOTS: dict[str, type[Component[Any]]] = {
    "example_gen": ExampleGen,
    "transform": Transform,
    "trainer": Trainer,
    "evaluator": Evaluator,
    "visualizer": Visualizer,
    "pusher": Pusher,
}
"""Default component of each slot. The annotations of its `run` define the slot's artifact types."""
TRAINER = "trainer"
"""The slot that produces the model."""
OPTIONAL_SLOTS = frozenset({"pusher"})
"""Slots that are empty unless the configuration names a component."""


def in_slot(slot: str) -> PlainValidator:
    """Return the annotation of a field that holds the component in a slot.

    The value is a component, or a section of the configuration: the component's config, and `use` for another class.
    Config keys that are missing and in the validation context are taken from there (`seed`, `memory_budget`).
    """
    return PlainValidator(partial(_validate, slot), json_schema_input_type=dict[str, Any])


def _validate(slot: str, value: object, info: ValidationInfo) -> Component[Any] | None:
    if isinstance(value, Mapping):
        return _from_section(slot, value, info.context or {})
    if value is None and slot in OPTIONAL_SLOTS:
        return None
    check_slot(slot, value)
    if not isinstance(value, Component):
        name = getattr(value, "__name__", "")
        problem, remedy = f"the {slot} is the class {name}, not a component", f"write {slot}={name}()"
        raise ConfigError(problem, expected="an instance of the class", remedy=remedy)
    return value


def _from_section(slot: str, section: Mapping[str, Any], defaults: Mapping[str, Any]) -> Component[Any]:
    try:
        cls, settings = read_section(slot, section)
    except ConfigError as error:
        raise use_error(error) from error
    return make_component(cls, settings, defaults)


def read_section(slot: str, section: Mapping[str, Any]) -> tuple[type[Component[Any]], dict[str, Any]]:
    """Return the component class that a section names, and its settings.

    A function in `transform.use` is the last operation of Transform; keys that Transform does not have are its options.
    """
    settings = dict(section)
    use = settings.pop(USE, None)
    if use is None:
        return SLOTS[slot], settings
    if slot == "transform" and inspect.isfunction(load_object(use)):
        own = {key: settings.pop(key) for key in Transform.Config.model_fields if key in settings}
        return Transform, {**own, "operations": [*own.get("operations", ()), {USE: use, **settings}]}
    return load_component_class(slot, use), settings


def make_component(
    cls: type[Component[Any]], settings: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Component[Any]:
    """Return a component with the settings of its section, and the defaults for those that its config has."""
    shared = {key: value for key, value in defaults.items() if key in cls.Config.model_fields}
    return cls(cls.Config.model_validate({**shared, **settings}))


def find_slot(name: str, slots: Iterable[str] = SLOTS) -> str:
    """Return the slot or custom step with a name such as `trainer` or `Trainer`."""
    names = {slot.replace("_", ""): slot for slot in slots}
    requested = name.lower().replace("_", "")
    if requested in names:
        return names[requested]
    near = difflib.get_close_matches(requested, names, n=1)
    remedy = f"did you mean `{names[near[0]]}`?" if near else "name one of these"
    raise ConfigError(f"`{name}` is not a component", expected=", ".join(names.values()), remedy=remedy)


def check_slot(slot: str, component: object) -> None:
    """Check that a component, or its class, has the types of a slot."""
    cls = component if isinstance(component, type) else type(component)
    where, slot_types = f"{import_string(cls)} cannot be the {slot}", SLOTS[slot].signature()
    types = component_signature(cls, where, expected=f" with the types {slot_types}")
    if not types.is_compatible_with(slot_types):
        remedy = "change its `run` to these types, or use it in the slot that it fits"
        raise ConfigError.at(where, f"its types are {types}", expected=str(slot_types), remedy=remedy)


def component_signature(cls: type[Any], where: str, *, expected: str = "") -> Signature:
    """Return the types of a component class; raise ConfigError if it is not one, or does not declare them."""
    if not (isinstance(cls, type) and issubclass(cls, Component)):
        expected, remedy = "a subclass of components.Component", "derive the class from it; see components/README.md"
        raise ConfigError.at(where, "it is not a component", expected=expected, remedy=remedy)
    config = getattr(cls, "Config", None)
    if not (isinstance(config, type) and issubclass(config, ComponentConfig)):
        expected = "a subclass of components.ComponentConfig as its `Config`"
        raise ConfigError.at(where, "it has no `Config`", expected=expected, remedy="add one; see components/README.md")
    try:
        return cls.signature()
    except (TypeError, NameError) as error:
        expected = f"run(self, context, /, *, ...){expected}"
        remedy = "annotate `run` with the artifact types"
        raise ConfigError.at(where, str(error), expected=expected, remedy=remedy) from error


def load_component_class(slot: str, use: object) -> type[Component[Any]]:
    """Import `package.module:Class`, also from the working folder; raise ConfigError if it does not fit the slot."""
    cls: type[Component[Any]] = load_object(use if isinstance(use, type) else str(use))
    check_slot(slot, cls)
    return cls

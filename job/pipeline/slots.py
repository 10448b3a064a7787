"""The slots of the pipeline, and what fits into each."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from typing import Any

from components import Component, ComponentConfig, Evaluator, ExampleGen, Pusher, Trainer, Transform, Visualizer
from components.base.errors import ConfigError, one_line

SLOTS: dict[str, type[Component[Any]]] = {
    "example_gen": ExampleGen,
    "transform": Transform,
    "trainer": Trainer,
    "evaluator": Evaluator,
    "visualizer": Visualizer,
    "pusher": Pusher,
}
"""Each slot with its own component, whose `run` says what artifacts the slot takes and gives."""
OPTIONAL_SLOTS = frozenset({"pusher"})
"""Slots that are empty unless a component is named for them."""


def import_string(cls: type) -> str:
    """Return the name by which a configuration can `use` a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def find_slot(name: str) -> str:
    """Return the slot of a name such as `trainer` or `Trainer`.

    Raises:
        ConfigError: if there is none.
    """
    names = {slot.replace("_", ""): slot for slot in SLOTS}
    asked = name.lower().replace("_", "")
    if asked in names:
        return names[asked]
    near = difflib.get_close_matches(asked, names, n=1)
    raise ConfigError(
        f"`{name}` is not a component",
        expected=", ".join(SLOTS),
        remedy=f"did you mean `{names[near[0]]}`?" if near else "name one of these",
    )


def check_slot(slot: str, component: object) -> None:
    """Hold a component, or its class, against the types of a slot.

    Raises:
        ConfigError: if it is not a component, or reads or makes other artifacts than the slot's.
    """
    cls = component if isinstance(component, type) else type(component)
    name = import_string(cls)
    wanted = SLOTS[slot].signature()
    if not (isinstance(cls, type) and issubclass(cls, Component)):
        raise ConfigError(
            f"{name} cannot be the {slot}: it is not a component",
            expected="a subclass of components.Component",
            remedy="derive the class from it; README.md shows how",
        )
    config = getattr(cls, "Config", None)
    if not (isinstance(config, type) and issubclass(config, ComponentConfig)):
        raise ConfigError(
            f"{name} cannot be the {slot}: it has no `Config`",
            expected="a subclass of components.ComponentConfig as its `Config`",
            remedy="give it one; README.md shows how",
        )
    try:
        found = cls.signature()
    except (TypeError, NameError) as error:
        raise ConfigError(
            f"{name} cannot be the {slot}: {error}",
            expected=f"run(self, context, /, *, ...) with the types {wanted}",
            remedy="annotate `run` with the artifacts that it reads and makes",
        ) from error
    if not found.is_compatible_with(wanted):
        raise ConfigError(
            f"{name} cannot be the {slot}: its types are {found}",
            expected=str(wanted),
            remedy="let its `run` take and return these, or use it in the slot that it fits",
        )


def load_component_class(slot: str, name: str) -> type[Component[Any]]:
    """Import `package.module:Class` and hold it against the slot; the working folder can be imported from.

    Raises:
        ConfigError: if it cannot be imported or does not fit.
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
    except Exception as error:  # whatever the user's module does when it is imported
        raise ConfigError(
            f"{slot}.use: {module_name} cannot be imported: {one_line(error)}",
            expected=expected,
            remedy="run where the module can be imported, and see that it can",
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

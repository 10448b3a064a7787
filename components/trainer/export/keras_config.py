"""Portable configuration of a Keras object: without the keys that older releases of Keras do not have."""

import inspect
import json
import sys
from functools import cache
from typing import Any


def make_portable(serialized: Any) -> Any:
    """Return a serialized Keras object without the keys that are at the default of its class's constructor.

    Keras writes all keys, and refuses those that a later release added, also if their value changes nothing. Keys that
    the class cannot be restored without stay. A dtype policy becomes its name, because Keras numbers policies that
    layers share by their address in memory.
    """
    if isinstance(serialized, list):
        return [make_portable(item) for item in serialized]
    if not isinstance(serialized, dict):
        return serialized
    if serialized.get("class_name") == "DTypePolicy":
        return serialized["config"]["name"]
    if {"module", "class_name", "config"} <= serialized.keys() and isinstance(serialized["config"], dict):
        serialized = serialized | {"config": _needed(serialized)}
    return {key: make_portable(_as_list(key, value)) for key, value in serialized.items()}


def foreign_classes(serialized: Any) -> set[str]:
    """Return the classes and functions within a serialized Keras object that are not Keras's own."""
    if isinstance(serialized, list):
        return set().union(*map(foreign_classes, serialized))
    if not isinstance(serialized, dict):
        return set()
    found = set().union(*map(foreign_classes, serialized.values()))
    if serialized.get("class_name") == "__lambda__" or isinstance(serialized.get("value"), tuple):  # its bytecode
        found.add("a lambda")
    elif {"module", "class_name", "config"} <= serialized.keys():
        module, name = serialized["module"] or "", serialized["class_name"]
        if module.partition(".")[0] != "keras" or name == "Lambda":
            found.add(serialized["config"] if name == "function" else name)
    return found


def _as_list(key: str, value: Any) -> Any:
    """Return the inputs or outputs of a functional model as a list, also if it has only one: Keras before 3.8."""
    is_single = key in ("input_layers", "output_layers") and isinstance(value, list) and isinstance(value[0], str)
    return [value] if is_single else value


def _needed(serialized: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = serialized["config"]
    restored = getattr(sys.modules.get(serialized["module"]), serialized["class_name"], None)
    if restored is None:  # a class inside another one
        return config
    parameters = inspect.signature(restored.__init__).parameters
    at_default = []
    for key, value in config.items():
        default = parameters[key].default if key in parameters else inspect.Parameter.empty
        # None is False for a flag, such as `ragged`. Operations have no names in Keras 3.8; a model names them itself.
        is_name = key == "name" and serialized["module"].startswith("keras.src.ops.")
        if default == value or (default is None and value is False) or is_name:
            at_default.append(key)
    # All at once first: most classes can be restored without any of them.
    for keys in (at_default, *([key] for key in at_default)):
        rest = {name: config[name] for name in config if name not in keys}
        if len(rest) < len(config) and _can_restore(restored, json.dumps(rest)):
            config = rest
    return config


@cache  # a network is exported several times, and many of its layers have equal keys
def _can_restore(restored: Any, config: str) -> bool:
    try:
        restored.from_config(json.loads(config))
    except Exception:  # a class may read any key of its own, and raise any error without it
        return False
    return True

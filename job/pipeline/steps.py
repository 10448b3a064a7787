"""Custom steps: components that a configuration adds after a component of the pipeline or another custom step."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from components import Artifact, BulkInferrer, Component
from components.base.errors import ConfigError
from components.base.extension import USE, use_error
from components.base.importing import import_string, load_object
from job.pipeline.slots import SLOTS, component_signature, make_component

STEPS = "steps"
"""The key of the custom steps."""
AFTER = "after"
"""The key that names the component or step that a custom step follows."""
NAME = re.compile("[a-z][a-z0-9_]*", re.ASCII)
INPUT_NAMES = {
    "example_gen": "examples",
    "transform": "transformed",
    "trainer": "model",
    "evaluator": "evaluation",
    "visualizer": "figures",
    "pusher": "pushed",
}
"""The name by which later components read the artifact of each slot."""
COMPONENTS: list[type[Component[Any]]] = [*SLOTS.values(), BulkInferrer]
KINDS = frozenset(cls.signature().output.model_fields["kind"].default for cls in COMPONENTS)
"""The kinds of the artifacts of the job's own components."""
RESERVED_NAMES = frozenset({*SLOTS, *INPUT_NAMES.values(), "lock"})
"""Names of other files in the folder of a run, and of other inputs, which no custom step may have."""


@dataclass(frozen=True)
class CustomStep:
    """A component that follows another one.

    Its inputs are artifacts of earlier components, by their names in `INPUT_NAMES`, and of earlier custom steps, by the
    name of the step. If it returns an artifact of the type of the component that it follows, later components read that
    one instead; an artifact of a new type is for other custom steps.
    """

    component: Component[Any]
    after: str
    """A slot, or the name of another custom step."""


class StepError(ConfigError):
    """A custom step that does not fit the pipeline; `key_path` is its place in the configuration."""

    def __init__(self, name: str, key: str, problem: str, *, expected: str, remedy: str) -> None:
        self.key_path = (STEPS, name, key)
        super().__init__(f"{'.'.join(self.key_path)}: {problem}", expected=expected, remedy=remedy)


def validate_step(value: object, info: ValidationInfo) -> CustomStep:
    """Return a custom step from a section with `use`, `after` and the component's config, or a CustomStep itself."""
    if isinstance(value, CustomStep):
        return value
    if not isinstance(value, Mapping) or not all(isinstance(value.get(key), str | type) for key in (USE, AFTER)):
        raise PydanticCustomError("custom_step", "a section with texts for the keys use and after")
    settings = dict(value)
    try:
        cls, after = load_object(settings.pop(USE)), settings.pop(AFTER)
        component_signature(cls, f"{import_string(cls)} cannot be a custom step")
    except ConfigError as error:
        raise use_error(error) from error
    return CustomStep(make_component(cls, settings, info.context or {}), after)


def order_steps(slots: Mapping[str, Component[Any]], steps: Mapping[str, CustomStep]) -> dict[str, Component[Any]]:
    """Return all components in the order of the data flow, each custom step after the component that it follows."""
    ordered: dict[str, Component[Any]] = {}

    def add(name: str, component: Component[Any]) -> None:
        ordered[name] = component
        for following, step in steps.items():
            if step.after == name:
                add(following, step.component)

    for slot, component in slots.items():
        add(slot, component)
    return ordered


def output_name(name: str, steps: Mapping[str, CustomStep]) -> str:
    """Return the name by which later components read the artifact of a slot or custom step."""
    if name in INPUT_NAMES:
        return INPUT_NAMES[name]
    after = steps[name].after
    followed = type(steps[after].component) if after in steps else SLOTS[after]
    is_replaced = type(steps[name].component).signature().output is followed.signature().output
    return output_name(after, steps) if is_replaced else name


def check_steps(slots: Mapping[str, Component[Any]], steps: Mapping[str, CustomStep]) -> None:
    """Check that each custom step has a valid name and place, and reads and returns types that fit there.

    Raises:
        StepError: for the first step that does not fit.
    """
    for name in steps:
        if not NAME.fullmatch(name) or name in RESERVED_NAMES:
            expected = "lower-case letters, digits and underscores, and not the name of a component or its artifact"
            raise StepError(name, USE, f"`{name}` cannot name a custom step", expected=expected, remedy="rename it")
    ordered = order_steps(slots, steps)
    for name, step in steps.items():
        if name not in ordered:
            expected = ", ".join([*slots, *(other for other in steps if other != name)])
            problem = f"the pipeline has no `{step.after}` before it"
            raise StepError(name, AFTER, problem, expected=expected, remedy="set `after` to one of these")
    available: dict[str, type[Artifact]] = {}
    for name, component in ordered.items():
        if name in steps:
            _check_types(name, component, available, output_name(steps[name].after, steps))
        available[output_name(name, steps)] = type(component).signature().output


def _check_types(name: str, component: Component[Any], available: dict[str, type[Artifact]], before: str) -> None:
    signature, where = type(component).signature(), f"the types of {import_string(type(component))} are"
    if any(available.get(key) is not kind for key, kind in signature.inputs.items()):
        raise StepError(
            name,
            USE,
            f"{where} {signature}",
            expected=f"inputs among {', '.join(f'{key}: Stored[{kind.__name__}]' for key, kind in available.items())}",
            remedy="change the names or annotations of its inputs, or place the step after the component that it needs",
        )
    output = signature.output
    if output.file_names is Artifact.file_names:
        raise StepError(
            name,
            USE,
            f"the type {output.__name__} that {import_string(type(component))} returns does not name its files",
            expected='a method `file_names`, such as `return ("centers.npy",)`',
            remedy="define it; return () if there are no files",
        )
    if output is not available[before] and output.model_fields["kind"].default in KINDS:
        raise StepError(
            name,
            USE,
            f"{where} {signature}, but it follows a step that returns {available[before].__name__}",
            expected=f"{available[before].__name__}, which replaces that artifact, or a type with a new `kind`",
            remedy="change what it returns, or what it follows",
        )

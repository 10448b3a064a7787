"""The pipeline: the components of a job, and the data flow between them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar

from components import (
    Artifact,
    Component,
    Evaluation,
    Evaluator,
    ExampleGen,
    Examples,
    Figures,
    Model,
    PushedModel,
    Stored,
    Trainer,
    Transform,
    TransformedExamples,
    Visualizer,
)
from components.base.errors import ConfigError
from job.pipeline.slots import OPTIONAL_SLOTS, check_slot

A = TypeVar("A", bound=Artifact)


class Step(Protocol):
    """Returns the artifact of one step: reuses a sealed one, or runs the component."""

    def __call__(self, slot: str, output: type[A], /, **inputs: Stored[Any]) -> Stored[A]:
        """Return the artifact of type `output` that the component in `slot` produces from `inputs`."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One component per slot. Only the pusher's slot may be empty. A component can be replaced by one of its type.

    >>> from components.testing import FakeTrainer
    >>> list(Pipeline(trainer=FakeTrainer()).components())
    ['example_gen', 'transform', 'trainer', 'evaluator', 'visualizer']

    Raises:
        ConfigError: if a component does not have the types of its slot.
    """

    example_gen: Component[Any] = field(default_factory=ExampleGen)
    transform: Component[Any] = field(default_factory=Transform)
    trainer: Component[Any] = field(default_factory=Trainer)
    evaluator: Component[Any] = field(default_factory=Evaluator)
    visualizer: Component[Any] = field(default_factory=Visualizer)
    pusher: Component[Any] | None = None

    def __post_init__(self) -> None:
        for slot, component in self.components().items():
            check_slot(slot, component)
            if isinstance(component, type):
                raise ConfigError(
                    f"the {slot} is the class {component.__name__}, not a component",
                    expected="an instance of the class",
                    remedy=f"write {slot}={component.__name__}()",
                )

    def components(self) -> dict[str, Component[Any]]:
        """Return the component in each slot that is not empty, in the order of the data flow."""
        slots = {slot.name: getattr(self, slot.name) for slot in fields(self)}
        return {name: component for name, component in slots.items() if component or name not in OPTIONAL_SLOTS}


def flow(step: Step, pipeline: Pipeline) -> None:
    """Call `step` for each component, with the artifacts of earlier steps as its inputs."""
    examples = step("example_gen", Examples)
    transformed = step("transform", TransformedExamples, examples=examples)
    model = step("trainer", Model, transformed=transformed)
    evaluation = step("evaluator", Evaluation, transformed=transformed, model=model)
    step("visualizer", Figures, examples=examples, transformed=transformed, model=model, evaluation=evaluation)
    if pipeline.pusher is not None:
        step("pusher", PushedModel, model=model, evaluation=evaluation)

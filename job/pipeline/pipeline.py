"""The pipeline: five components and an optional sixth, and the way of the data through them."""

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
from job.pipeline.slots import OPTIONAL, check_slot

A = TypeVar("A", bound=Artifact)


class Step(Protocol):
    """Brings one step about: reuses what it made before, or runs it."""

    def __call__(self, slot: str, made: type[A], /, **inputs: Stored[Any]) -> Stored[A]:
        """Return the artifact of kind `made` that the component in `slot` makes of `inputs`."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One component a slot, but for the pusher's, which may be empty; any of them can be another of the same types.

        Pipeline(trainer=MyTrainer(MyTrainer.Config(epochs=3)))

    Raises:
        ConfigError: if a component does not have its slot's types.
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
                    expected="an object of the class",
                    remedy=f"write {slot}={component.__name__}()",
                )

    def components(self) -> dict[str, Component[Any]]:
        """Return the component in each slot that has one, in the order of the slots."""
        filled = {slot.name: getattr(self, slot.name) for slot in fields(self)}
        return {slot: component for slot, component in filled.items() if slot not in OPTIONAL or component is not None}


def flow(step: Step, pipeline: Pipeline) -> None:
    """Lead the data through the steps of a pipeline."""
    examples = step("example_gen", Examples)
    transformed = step("transform", TransformedExamples, examples=examples)
    model = step("trainer", Model, transformed=transformed)
    evaluation = step("evaluator", Evaluation, transformed=transformed, model=model)
    step("visualizer", Figures, examples=examples, transformed=transformed, model=model, evaluation=evaluation)
    if pipeline.pusher is not None:
        step("pusher", PushedModel, model=model, evaluation=evaluation)

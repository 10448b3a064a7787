"""The pipeline: the components of a job, and the data flow between them."""

from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

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
from job.pipeline.slots import in_slot

A = TypeVar("A", bound=Artifact)


class Pipeline(BaseModel):
    """One component per slot. Only the pusher's slot may be empty. A component can be replaced by one of its type.

    >>> from components.testing import FakeTrainer
    >>> list(Pipeline(trainer=FakeTrainer()).components())
    ['example_gen', 'transform', 'trainer', 'evaluator', 'visualizer']
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    example_gen: Annotated[Component[Any], in_slot("example_gen")] = Field(default_factory=ExampleGen)
    transform: Annotated[Component[Any], in_slot("transform")] = Field(default_factory=Transform)
    trainer: Annotated[Component[Any], in_slot("trainer")] = Field(default_factory=Trainer)
    evaluator: Annotated[Component[Any], in_slot("evaluator")] = Field(default_factory=Evaluator)
    visualizer: Annotated[Component[Any], in_slot("visualizer")] = Field(default_factory=Visualizer)
    pusher: Annotated[Component[Any] | None, in_slot("pusher")] = None

    def components(self) -> dict[str, Component[Any]]:
        """Return the component in each slot that is not empty, in the order of the data flow."""
        return {slot: component for slot, component in self if component is not None}


class Step(Protocol):
    """Returns the artifact of one step: reuses a sealed one, or runs the component."""

    def __call__(self, slot: str, output: type[A], /, **inputs: Stored[Any]) -> Stored[A]:
        """Return the artifact of type `output` that the component in `slot` produces from `inputs`."""


def flow(step: Step, pipeline: Pipeline) -> None:
    """Call `step` for each component, with the artifacts of earlier steps as its inputs."""
    examples = step("example_gen", Examples)
    transformed = step("transform", TransformedExamples, examples=examples)
    model = step("trainer", Model, transformed=transformed)
    evaluation = step("evaluator", Evaluation, transformed=transformed, model=model)
    step("visualizer", Figures, examples=examples, transformed=transformed, model=model, evaluation=evaluation)
    if pipeline.pusher is not None:
        step("pusher", PushedModel, model=model, evaluation=evaluation)

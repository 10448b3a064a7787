"""The pipeline: the components of a job, and the data flow between them."""

from collections.abc import Container
from typing import Annotated, Any, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from components import Component, Evaluator, ExampleGen, Trainer, Transform, Visualizer
from job.pipeline.slots import SLOTS, in_slot
from job.pipeline.steps import CustomStep, check_steps, order_steps, output_name, validate_step


class Pipeline(BaseModel):
    """One component per slot, and custom steps between them. Only the pusher's slot may be empty.

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
    steps: dict[str, Annotated[CustomStep, PlainValidator(validate_step, json_schema_input_type=dict[str, Any])]] = {}

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if self.steps:
            check_steps(self._slots(), self.steps)
        return self

    def components(self) -> dict[str, Component[Any]]:
        """Return each component by its slot, and each custom step by its name, in the order of the data flow."""
        return order_steps(self._slots(), self.steps)

    def step_names(self) -> list[str]:
        """Return the names of all slots, also of empty ones, and of the custom steps."""
        return [*SLOTS, *self.steps]

    def _slots(self) -> dict[str, Component[Any]]:
        components = {slot: getattr(self, slot) for slot in SLOTS}
        return {slot: component for slot, component in components.items() if component is not None}


OutputT = TypeVar("OutputT")


class Step(Protocol[OutputT]):
    """Handles one step: a run returns its artifact, a plan what is known about it."""

    def __call__(self, name: str, /, **inputs: OutputT) -> OutputT:
        """Return the output of a slot or custom step for `inputs`, the outputs of earlier ones."""


def flow(step: Step[OutputT], pipeline: Pipeline, names: Container[str]) -> None:
    """Call `step` for each slot and custom step in `names`, with the outputs of earlier ones by the names of inputs."""
    outputs: dict[str, OutputT] = {}
    for name, component in pipeline.components().items():
        if name in names:
            inputs = {key: outputs[key] for key in type(component).signature().inputs}
            outputs[output_name(name, pipeline.steps)] = step(name, **inputs)

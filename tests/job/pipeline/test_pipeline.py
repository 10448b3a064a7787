"""The pipeline as a Python object: components are replaced by argument, and checked at once."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components import Component, ComponentConfig, Context, Evaluator, Model, Stored, TransformedExamples
from components.base.errors import ConfigError
from components.testing import FakeEvaluator, FakeExampleGen, FakeTrainer, FakeTransform, FakeVisualizer
from job import run
from job.pipeline.pipeline import Pipeline


class Empty(ComponentConfig):
    """An empty config."""


class NoTypes(Component[Empty]):
    """Has no annotation for its input."""

    Config = Empty

    def run(self, context: Context, /, *, transformed) -> Model:  # type: ignore[no-untyped-def]
        raise NotImplementedError


class OtherName(Component[Empty]):
    """Reads the right artifact under another name."""

    Config = Empty

    def run(self, context: Context, /, *, examples: Stored[TransformedExamples]) -> Model:
        raise NotImplementedError


def fakes() -> Pipeline:
    return Pipeline(
        example_gen=FakeExampleGen(),
        transform=FakeTransform(),
        trainer=FakeTrainer(),
        evaluator=FakeEvaluator(),
        visualizer=FakeVisualizer(),
    )


def halved(pictures: Any, ops: Any, by: float = 0.5) -> Any:
    return ops.multiply(pictures, by)


def test_a_function_as_transform_is_its_last_operation() -> None:
    section = {"use": f"{__name__}:halved", "by": 0.25, "operations": [{"kind": "standardize"}]}
    transform = Pipeline.model_validate({"transform": section}).transform
    assert transform.identity()["operations"] == [
        {"kind": "standardize"},
        {"use": f"{__name__}:halved", "kind": "function", "by": 0.25},
    ]


def test_pipeline_runs_from_python(tmp_path: Path) -> None:
    record = run(fakes(), root=tmp_path, console=Console(quiet=True)).record
    assert record.exit_code == 0
    assert [step.component for step in record.steps] == list(fakes().components())


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        (Evaluator(), "cannot be the trainer: its types are"),
        (NoTypes(), "transformed is not annotated"),
        (OtherName(), "its types are (examples: Stored[TransformedExamples]) -> Model"),
        ("components.trainer", "is not a component"),
        (FakeTrainer, "the trainer is the class FakeTrainer, not a component"),
    ],
)
def test_component_that_does_not_fit_its_slot_is_rejected(trainer: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pipeline(trainer=trainer)
    assert message in caught.value.headline

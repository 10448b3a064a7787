"""The pipeline as a Python object: swapped by argument, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components import Component, ComponentConfig, Context, Evaluator, Model, Stored, TransformedExamples
from components.base.errors import ConfigError
from components.testing import FakeEvaluator, FakeExampleGen, FakeTrainer, FakeTransform, FakeVisualizer
from job.config.config import JobConfig
from job.pipeline.pipeline import Pipeline
from job.runner.runner import run


class Empty(ComponentConfig):
    """Nothing."""


class NoTypes(Component[Empty]):
    """Says nothing about what it reads."""

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


def test_it_runs_from_python(tmp_path: Path) -> None:
    record = run(JobConfig(root=tmp_path, pipeline=fakes()), console=Console(quiet=True))
    assert record.exit_code == 0
    assert [step.component for step in record.steps] == list(fakes().components())


@pytest.mark.parametrize(
    ("trainer", "says"),
    [
        (Evaluator(), "cannot be the trainer: its types are"),
        (NoTypes(), "transformed is not annotated"),
        (OtherName(), "its types are (examples: Stored[TransformedExamples]) -> Model"),
        ("components.trainer", "is not a component"),
        (FakeTrainer, "the trainer is the class FakeTrainer, not a component"),
    ],
)
def test_what_does_not_fit_a_slot_is_refused_at_once(trainer: Any, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        Pipeline(trainer=trainer)
    assert says in told.value.headline

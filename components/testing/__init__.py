"""Fakes of the components, and the contract that every component must keep."""

from components.testing.contract import ComponentContract
from components.testing.fakes import (
    FakeEvaluator,
    FakeExampleGen,
    FakePusher,
    FakeTrainer,
    FakeTransform,
    FakeVisualizer,
)

__all__ = [
    "ComponentContract",
    "FakeEvaluator",
    "FakeExampleGen",
    "FakePusher",
    "FakeTrainer",
    "FakeTransform",
    "FakeVisualizer",
]

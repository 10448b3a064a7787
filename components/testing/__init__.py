"""Fakes of the five components, and the contract that every component must keep."""

from components.testing.contract import ComponentContract
from components.testing.fakes import (
    FakeEvaluator,
    FakeExampleGen,
    FakeTrainer,
    FakeTransform,
    FakeVisualizer,
)

__all__ = [
    "ComponentContract",
    "FakeEvaluator",
    "FakeExampleGen",
    "FakeTrainer",
    "FakeTransform",
    "FakeVisualizer",
]

"""Fakes of all components, and the contract that every component must pass."""

from components.testing.contract import ComponentContract
from components.testing.fakes import (
    FakeEvaluator,
    FakeExampleGen,
    FakePusher,
    FakeTrainer,
    FakeTransform,
    FakeVisualizer,
)

"""Fakes of all components, and the contracts that every component and every source must pass."""

from components.testing.contract import ComponentContract
from components.testing.fakes import (
    FakeEvaluator,
    FakeExampleGen,
    FakePusher,
    FakeTrainer,
    FakeTransform,
    FakeVisualizer,
)
from components.testing.source_contract import SourceContract

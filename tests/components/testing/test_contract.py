"""Every real component and every fake keeps the same contract."""

from __future__ import annotations

from components import Evaluator, ExampleGen, Pusher, Trainer, Transform, Visualizer
from components.testing import (
    ComponentContract,
    FakeEvaluator,
    FakeExampleGen,
    FakePusher,
    FakeTrainer,
    FakeTransform,
    FakeVisualizer,
)
from components.trainer.network import NetworkConfig


class TestExampleGen(ComponentContract):
    component = ExampleGen()


class TestTransform(ComponentContract):
    component = Transform()


class TestTrainer(ComponentContract):
    component = Trainer(
        Trainer.Config(
            network=NetworkConfig(filters=(4, 4, 4), dense=(8, 8), dropout=0.2, batch_normalization=True),
            epochs=2,
            batch_size=32,
        )
    )


class TestEvaluator(ComponentContract):
    component = Evaluator()


class TestVisualizer(ComponentContract):
    component = Visualizer()


class TestPusher(ComponentContract):
    component = Pusher(Pusher.Config(destination="nowhere", allow_unblessed=True))


class TestPusherThatWithholds(ComponentContract):
    component = Pusher(Pusher.Config(destination="nowhere"))


class TestFakeExampleGen(ComponentContract):
    component = FakeExampleGen()


class TestFakeTransform(ComponentContract):
    component = FakeTransform()


class TestFakeTrainer(ComponentContract):
    component = FakeTrainer()


class TestFakeEvaluator(ComponentContract):
    component = FakeEvaluator()


class TestFakeVisualizer(ComponentContract):
    component = FakeVisualizer()


class TestFakePusher(ComponentContract):
    component = FakePusher()

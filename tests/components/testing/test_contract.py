"""Every component and every fake passes the contract; what reads a model does so on a linear and a Keras one."""

from pathlib import Path
from typing import Any

import pytest

from components import (
    Artifact,
    Context,
    Evaluation,
    Evaluator,
    ExampleGen,
    Model,
    Pusher,
    Stored,
    Trainer,
    Transform,
    TransformedExamples,
    Visualizer,
)
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

    @pytest.mark.thorough  # every killed training that resumes tests it, too
    def test_the_same_inputs_give_the_same_bytes(self, tmp_path: Path, tmp_path_factory: Any) -> None:
        super().test_the_same_inputs_give_the_same_bytes(tmp_path, tmp_path_factory)


class TestEvaluator(ComponentContract):
    component = Evaluator()


class TestVisualizer(ComponentContract):
    component = Visualizer()


class TestPusher(ComponentContract):
    component = Pusher(Pusher.Config(destination="nowhere", allow_unblessed=True))


class TestPusherThatWithholds(ComponentContract):
    component = Pusher(Pusher.Config(destination="nowhere"))


class OnKerasModel(ComponentContract):
    """The contract with the Trainer's model, and an evaluation of it, as inputs."""

    @classmethod
    def make_inputs(cls, tmp_path_factory: Any) -> dict[type[Artifact], Stored[Any]]:
        made = super().make_inputs(tmp_path_factory)
        trained = TestTrainer.run_once(tmp_path_factory)
        made |= {Model: trained.output, TransformedExamples: trained.inputs["transformed"]}
        output = tmp_path_factory.mktemp("evaluation")
        evaluator = FakeEvaluator(FakeEvaluator.Config(accuracy=0.8))
        evaluation = evaluator.run(Context(output=output), transformed=made[TransformedExamples], model=made[Model])
        return made | {Evaluation: Stored(evaluation, output)}


class TestEvaluatorOnKerasModel(OnKerasModel):
    # Infra validation starts TensorFlow once more, and has other tests.
    component = Evaluator(Evaluator.Config.model_validate({"infra_validation": {"images": 0}}))


class TestVisualizerOnKerasModel(OnKerasModel):
    component = Visualizer()

    @pytest.mark.thorough
    def test_the_same_inputs_give_the_same_bytes(self, tmp_path: Path, tmp_path_factory: Any) -> None:
        super().test_the_same_inputs_give_the_same_bytes(tmp_path, tmp_path_factory)


class TestPusherOnKerasModel(OnKerasModel):
    component = Pusher(Pusher.Config(destination="nowhere", allow_unblessed=True))


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

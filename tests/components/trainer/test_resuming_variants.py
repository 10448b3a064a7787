"""Trainings with other optimizers, losses and augmentations learn, and resume with identical weights and steps."""

import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context
from components.base.errors import TerminationError
from components.inference.split_images import SplitImages
from components.trainer.config import TrainerConfig
from components.trainer.init_from import freeze_layers, prepare_weights
from components.trainer.network import NetworkConfig, weights_digest
from components.trainer.optimizer import OtherOptimizer
from components.trainer.training_loop import TrainingLoop
from tests.support.termination import TerminationAfter

OPTIMIZERS = typing.get_args(OtherOptimizer.model_fields["kind"].annotation)
pytestmark = pytest.mark.thorough


def squares(count: int, seed: int) -> SplitImages:
    """Return images with a bright left or right half; its number is the label."""
    labels = np.arange(count) % 2
    images = np.random.default_rng(seed).random((count, 16, 16, 1), np.float32) * 0.5
    for image, label in zip(images, labels, strict=True):
        image[:, 8 * label : 8 * label + 8] += 0.5
    return SplitImages(images, labels)


def blend(images: Any, labels: Any, seed: Any, step: Any) -> Any:
    import tensorflow as tf

    amount = 0.2 * tf.random.stateless_uniform([], seed=(seed, step))
    targets = tf.one_hot(labels, 2)
    return amount * images[::-1] + (1 - amount) * images, amount * targets[::-1] + (1 - amount) * targets


VARIANTS: dict[str, dict[str, Any]] = {
    "momentum, focal loss, flips": {
        "optimizer": {"kind": "SGD", "momentum": 0.9, "nesterov": True},
        "loss": {"kind": "CategoricalFocalCrossentropy", "gamma": 2.0},
        "augmentation": {"flip": ["vertical"], "crop": 1, "brightness": 0.1, "contrast": 0.1},
    },
    "Lion, function": {
        "optimizer": {"kind": "Lion", "weight_decay": 0.1},
        "learning_rate": {"peak": 0.005},
        "augmentation": {"use": blend, "clean_epochs": 1},
    },
    "cropped, whitened": {"network": {"crop": 1, "whitening": True, "batch_normalization": True}},
    "Muon, clipping, frozen": {
        "optimizer": {"kind": "Muon", "global_clipnorm": 1.0},
        "init_from": "latest",
        "freeze": ["convolution_1"],
    },
}


def loop(settings: dict[str, Any], context: Context) -> TrainingLoop:
    config = TrainerConfig.model_validate(
        {"epochs": 2, "batch_size": 8, "learning_rate": {"peak": 0.02}, "monitor": "epoch", **settings}
    )
    sizes = {"filters": (4, 4, 4), "dense": (8, 8), "dropout": 0.1}
    config = config.model_copy(update={"network": NetworkConfig.model_validate(sizes | settings.get("network", {}))})
    network, train = config.network.build(image_shape=(16, 16, 1), classes=2, seed=0), squares(100, 0)
    if config.init_from:  # its weights are not loaded
        freeze_layers(network, config.freeze)
    else:
        prepare_weights(network, config, None, train, (), context.progress)
    return TrainingLoop(network, config, train, squares(50, 1), context)


@pytest.mark.parametrize("name", VARIANTS)
def test_interrupted_training_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    settings = VARIANTS[name]
    whole = loop(settings, Context(output=tmp_path))
    whole.fit()
    assert whole.history[-1].val_loss < whole.history[0].val_loss
    # The attempts end within groups of steps, because a checkpoint is due there.
    for checks, every_steps in ((4, 1), (3, 0)):
        context = Context(output=tmp_path, checkpoints=tmp_path / "checkpoints", termination=TerminationAfter(checks))
        with pytest.raises(TerminationError):
            loop(settings | {"checkpoint": {"every_steps": every_steps}}, context).fit()
    assert (tmp_path / "checkpoints" / "epoch-0001-step-00005").is_dir(), "groups have 2 steps"
    resumed = loop(settings, Context(output=tmp_path, checkpoints=tmp_path / "checkpoints"))
    resumed.fit()
    assert weights_digest(resumed.network) == weights_digest(whole.network)
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.step_history.state, whole.step_history.state)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_each_optimizer_descends_along_a_schedule(kind: str) -> None:
    import keras

    config = TrainerConfig.model_validate({"optimizer": {"kind": kind}, "learning_rate": {"peak": 0.1}})
    variable = keras.Variable(np.ones((4, 4), np.float32), name="kernel")
    optimizer = config.optimizer.build(config.learning_rate.build(20))
    for _ in range(20):
        optimizer.apply([2 * variable.value], [variable])  # the gradient of the sum of squares
    assert np.abs(variable.numpy()).max() < 1

"""The amount of work of a training, compared with that of an earlier one."""

from pathlib import Path
from typing import Any

import pytest

from components.artifacts import TransformedExamples
from components.base.component import EarlierRun
from components.trainer import Trainer
from components.trainer.network import NetworkConfig
from job.store.store import Store
from tests.support.statements import changed

NETWORK = {"filters": [4, 4, 4], "dense": [8, 8]}


@pytest.fixture
def earlier(finished_root: Path) -> EarlierRun:
    """Return a training of one epoch."""
    [transformed], [model] = (Store(finished_root).newest_first(slot) for slot in ("transform", "trainer"))
    assert len(model.stored().artifact.history) == 1
    identity = trainer(epochs=7).identity()  # it stopped early
    return EarlierRun(identity, {"transformed": transformed.manifest.artifact}, model.manifest.artifact)


def trainer(**config: Any) -> Trainer:
    return Trainer(Trainer.Config.model_validate({"network": NETWORK, **config}))


def test_epochs_images_and_network_count(earlier: EarlierRun) -> None:
    assert trainer(epochs=3).relative_work({}, earlier) == 3
    transformed = earlier.inputs["transformed"]
    assert isinstance(transformed, TransformedExamples)
    train = changed(transformed.splits.train, shards=2 * transformed.splits.train.shards)
    more = changed(transformed, splits=changed(transformed.splits, train=train))
    assert trainer(epochs=3).relative_work({"transformed": more}, earlier) == 6
    wide = trainer(epochs=1, network={"filters": [8, 8, 8], "dense": [8, 8]}).relative_work({}, earlier)
    assert wide is not None
    assert 2 < wide < 4


def test_custom_networks_are_only_compared_with_themselves(earlier: EarlierRun) -> None:
    custom = trainer(epochs=2, network={"use": "tests.support.networks:sequential"})
    assert custom.relative_work({}, earlier) is None
    of_itself = EarlierRun(custom.identity(), earlier.inputs, earlier.output)
    assert custom.relative_work({}, of_itself) == 2
    assert trainer().relative_work({}, EarlierRun(earlier.identity, {}, earlier.output)) is None


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{}, {"pooling": 3}, {"padding": ["valid", "same", "valid"], "kernels": [5, 3, 1]}])
def test_multiplications_are_those_of_the_layers(options: dict[str, Any]) -> None:
    config = NetworkConfig.model_validate(options)
    network = config.build(image_shape=(30, 29, 3), classes=7, seed=0)
    counted = 0
    for layer in network.layers:
        if (kernel := getattr(layer, "kernel", None)) is not None:
            places = layer.output.shape[1:3] if len(kernel.shape) == 4 else (1,)
            size = int(kernel.numpy().size)
            for length in places:
                size *= length
            counted += size
    assert config.multiplications(image_shape=(30, 29, 3), classes=7) == counted

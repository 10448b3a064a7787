"""Replicas of a network: each trains on its part of a batch, and the parts together are the batch."""

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from components import Context
from components.base.cluster import Cluster
from components.base.errors import ConfigError
from components.inference.split_images import SplitImages
from components.runtime import arrivals
from components.trainer.config import TrainerConfig
from components.trainer.network import NetworkConfig, build_network
from tests.support.workers import cluster_of

NETWORK = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), dropout=0.3)


def test_parts_of_dropout_are_those_of_the_whole_batch() -> None:
    import keras
    import tensorflow as tf

    from components.trainer.batch_part import BatchPart, PartDropout

    ones = np.ones((5, 4, 3), np.float32)
    whole = keras.layers.Dropout(0.5, seed=1)(ones, training=True)
    parts = []
    for replica in range(3):
        part = BatchPart(tf.constant(5), replica=replica, replicas=3)
        with part.current():
            parts.append(PartDropout(0.5, seed=1)(part.take(ones), training=True))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(PartDropout(0.5, seed=1)(ones, training=True), whole)


@pytest.mark.parametrize(("count", "sizes"), [(7, [2, 2, 3]), (3, [1, 1, 1]), (1, [0, 0, 1])])
def test_every_image_belongs_to_one_part(count: int, sizes: list[int]) -> None:
    import tensorflow as tf

    from components.trainer.batch_part import BatchPart, rows_of_parts

    rows = np.arange(count)
    parts = [BatchPart(tf.constant(count), replica=replica, replicas=3) for replica in range(3)]
    own = [part.own(part.take(rows)).tolist() for part in parts]
    assert [len(each) for each in own] == sizes
    assert functools.reduce(list.__add__, own) == rows.tolist()
    assert all(len(part.take(rows)) >= 1 for part in parts), "layers need not support an empty batch"
    for first, last in ((0, 1), (1, 3), (2, 3)):
        taken = np.concatenate([part.take(rows) for part in parts[first:last]])
        assert rows_of_parts(rows, count, range(first, last), of=3).tolist() == np.unique(taken).tolist()
    assert [float(part.share) for part in parts] == pytest.approx([size / count for size in sizes])


def test_one_replica_trains_as_one_device(tmp_path: Path) -> None:
    import tensorflow as tf

    from components.trainer.strategy import ONE_DEVICE, OneDevice, Replicas
    from components.trainer.training_loop import TrainingLoop

    random = np.random.default_rng(0)
    images = SplitImages(random.random((40, 16, 16, 1), np.float32), np.arange(40) % 4)
    config = TrainerConfig.model_validate({"epochs": 2, "batch_size": 16, "optimizer": {"kind": "Lion"}})

    def train(devices: OneDevice) -> Any:
        network = devices.replicate(build_network(NETWORK, image_shape=(16, 16, 1), classes=4, seed=0))
        TrainingLoop(network, config, images, images, Context(output=tmp_path), devices=devices).fit()
        return network.get_weights()

    replicated = train(Replicas(tf.distribute.MirroredStrategy(["CPU:0"])))
    for one, other in zip(replicated, train(ONE_DEVICE), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_replicas_do_not_support_mixed_float16() -> None:
    with pytest.raises(ValueError, match="strategy mirrored does not support mixed_float16; use mixed_bfloat16"):
        TrainerConfig.model_validate({"strategy": "mirrored", "gpu": {"precision": "mixed_float16"}})


def test_workers_without_a_cluster_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from components import Trainer

    monkeypatch.delenv("TF_CONFIG", raising=False)
    trainer = Trainer(TrainerConfig(strategy="multi_worker"))
    with pytest.raises(ConfigError, match="the environment names no workers"):
        trainer.preflight()
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}')
    trainer.preflight()
    cluster = trainer.cluster()
    assert cluster is not None
    assert str(cluster) == "worker 1 of 2"
    assert Trainer(TrainerConfig()).cluster() is None


def test_workers_with_different_devices_end_with_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from components.trainer.checkpoint import open_checkpoints
    from components.trainer.strategy import open_devices

    monkeypatch.setattr(arrivals, "GRACE_SECONDS", 0.1)
    config = TrainerConfig(strategy="multi_worker", device="auto", worker_wait_seconds=60.0)

    def open_worker(cluster: Cluster, gpus: int) -> str:
        context = Context(output=tmp_path, cluster=cluster)
        found = SimpleNamespace(list_physical_devices=lambda _: ["a GPU"] * gpus)
        tensorflow = SimpleNamespace(config=found)
        device = "GPU: any" if gpus else "CPU"
        with pytest.raises(ConfigError) as raised:
            open_devices(tensorflow, config, context, open_checkpoints(context), device=device)
        return raised.value.headline

    with ThreadPoolExecutor() as pool:
        headlines = [*pool.map(open_worker, cluster_of(3), (1, 0, 2))]
    assert headlines == ["the workers have different configurations, data or devices: 1, 2 and 0 differ"] * 3

"""Replicas of a network: each trains on its part of a batch, and the parts together are the batch."""

import functools
import tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
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
from tests.support.workers import PRELOADED, PROCESSES, cluster_of


@pytest.mark.parametrize("name", ["Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D"])
@pytest.mark.parametrize("rows_per_image", [1, 2])
def test_random_numbers_of_parts_are_those_of_the_batch(name: str, rows_per_image: int) -> None:
    import keras
    import tensorflow as tf

    from components.trainer.batch_part import BatchPart
    from components.trainer.part_layers import PART_LAYERS

    layer = getattr(keras.layers, name)
    part_layer = PART_LAYERS[layer]
    batch = np.ones((5 * rows_per_image, 4, 3, 2), np.float32)
    whole = layer(0.5, seed=1)(batch, training=True)
    parts = []
    for replica in range(3):
        part = BatchPart(tf.constant(5), replica=replica, replicas=3)
        with part.current():
            rows = part.take(batch, rows_per_image=rows_per_image)
            parts.append(part_layer(0.5, seed=1)(rows, training=True))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(part_layer(0.5, seed=1)(batch, training=True), whole)


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


def train(network: Any, devices: Any, **settings: Any) -> Any:
    """Return the loop after an epoch whose last batch has two images."""
    from components.trainer.training_loop import TrainingLoop

    random = np.random.default_rng(0)
    images = SplitImages(random.random((18, 8, 8, 1), np.float32), np.arange(18) % 4)
    config = TrainerConfig.model_validate({"epochs": 1, "batch_size": 8, "monitor": "epoch", **settings})
    with tempfile.TemporaryDirectory() as output:
        context = Context(output=Path(output))
        loop = TrainingLoop(devices.replicate(network), config, images, images, context, devices=devices)
        loop.fit()
    return loop


def assert_close(one: Any, other: Any) -> None:
    """Compare the weights of two trainings, and the losses and accuracies of their epochs."""
    for weights, others in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_allclose(weights, others, atol=1e-6)
    for row, another in zip(one.history, other.history, strict=True):
        assert row.model_dump() == pytest.approx(another.model_dump(), rel=1e-5)


def network_with_noise() -> Any:
    """Return a network of layers that depend on the whole batch, with weights that depend on nothing."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    value = inputs = keras.Input((8, 8, 1))
    value = layers.SpatialDropout2D(0.2, seed=1)(
        layers.BatchNormalization()(layers.Conv2D(3, 3, strides=4, padding="same")(value))
    )
    value = layers.GaussianNoise(0.1, seed=2)(layers.TimeDistributed(layers.BatchNormalization())(value))
    patches = layers.Dropout(0.2, seed=3)(keras.ops.reshape(value, (-1, 2, 3)))
    value = layers.Flatten()(keras.ops.reshape(patches, (-1, 2, 2, 3)))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(value))


def small_network() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    dropout = layers.Dropout(0.3, seed=1)
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), dropout, layers.Dense(4, activation="softmax")])


def network_with_fixed_filters() -> Any:
    from components.trainer.network import NetworkConfig

    sizes = {"whitening": True, "filters": (2, 3, 3), "dense": (), "batch_normalization": True}
    return NetworkConfig.model_validate(sizes).build(image_shape=(8, 8, 1), classes=4, seed=0)


def compare_three_replicas() -> None:
    """Train on three devices, and with another network again; compare other losses."""
    import tensorflow as tf

    from components.trainer.strategy import ONE_DEVICE, Replicas, mirror

    three = [tf.config.LogicalDeviceConfiguration()] * 3
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], three)
    settings = {"optimizer": {"kind": "SGD"}, "loss": {"kind": "CategoricalFocalCrossentropy"}}
    for build in (network_with_noise, network_with_fixed_filters, small_network):
        replicas = Replicas(mirror(tf, ["CPU:0", "CPU:1", "CPU:2"]))
        with tf.device("CPU:1"):  # as the Trainer with `device: cpu`: all but the replicas
            replicated = train(build(), replicas, **settings)
        assert replicated.train._images.device.endswith("CPU:1")
        used = [each.device[-5:] for each in replicated.network.weights[0].value.values]
        assert used == ["CPU:0", "CPU:1", "CPU:2"]
        assert len(replicated.network.trainable_variables) == len(build().trainable_variables)
        assert_close(replicated, train(build(), ONE_DEVICE, **settings))
    assert validation_losses(replicas) == pytest.approx(validation_losses(ONE_DEVICE), rel=1e-6)


def validation_losses(devices: Any) -> dict[str, float]:
    """Return some losses of four images."""
    from components.trainer.device_cache import DeviceCache
    from components.trainer.train_step import Classifier

    network = devices.replicate(small_network())
    images = DeviceCache(SplitImages(np.random.default_rng(0).random((4, 8, 8, 1), np.float32), np.arange(4)))
    images.load_rows(0, 4)
    caches = {"train": images, "validation": images}
    losses = {}
    for kind in ("BinaryFocalCrossentropy", "Huber", "KLDivergence"):
        config = TrainerConfig.model_validate({"loss": {"kind": kind}})
        classifier = Classifier(network, config, **caches, first_clean_step=0, xla=False, devices=devices)
        losses[kind] = float(classifier.test_step(np.arange(4))["loss"])
    return losses


@pytest.mark.thorough
def test_three_replicas_train_as_one_device_twice() -> None:
    PROCESSES.set_forkserver_preload([PRELOADED])
    with ProcessPoolExecutor(1, PROCESSES) as pool:
        pool.submit(compare_three_replicas).result()


@pytest.mark.thorough
def test_one_replica_trains_as_one_device() -> None:
    import tensorflow as tf

    from components.trainer.strategy import ONE_DEVICE, Replicas, mirror

    settings = {"optimizer": {"kind": "Lion"}}
    assert_close(
        train(small_network(), Replicas(mirror(tf, ["CPU:0"])), **settings),
        train(small_network(), ONE_DEVICE, **settings),
    )


def test_replicas_do_not_support_mixed_float16() -> None:
    with pytest.raises(ValueError, match="strategy mirrored does not support mixed_float16; use mixed_bfloat16"):
        TrainerConfig.model_validate({"strategy": "mirrored", "gpu": {"precision": "mixed_float16"}})


def test_replicas_do_not_accumulate_gradients() -> None:
    optimizer = {"kind": "SGD", "gradient_accumulation_steps": 2}
    with pytest.raises(ValueError, match="strategy mirrored does not support optimizer.gradient_accumulation_steps"):
        TrainerConfig.model_validate({"strategy": "mirrored", "optimizer": optimizer})
    TrainerConfig.model_validate({"optimizer": optimizer})


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
    assert headlines == ["the configuration, data or devices of worker 1, 2 differ from those of worker 0"] * 3


@pytest.mark.thorough
def test_private_names_of_tensorflow_and_keras_exist() -> None:
    """A failure means that an upgrade has changed what the modules that use these names depend on."""
    import inspect

    import keras
    import tensorflow as tf
    from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
    from tensorflow.python.distribute.mirrored_strategy import MirroredExtended
    from tensorflow.python.eager import context

    assert callable(context._reset_context)
    assert isinstance(context.context()._initialized, bool)
    assert callable(context.context().configure_coordination_service)
    for name in ("initial_timeout", "interval", "timeout", "retry_limit"):
        assert f"self._check_health_{name}" in inspect.getsource(CollectiveAllReduceExtended)
        assert isinstance(getattr(CollectiveAllReduceExtended, f"_check_health_{name}"), int)
    assert "_check_health_thread_should_stop" in inspect.getsource(CollectiveAllReduceExtended)
    assert tf.distribute.MirroredStrategy._collective_key_base >= 0
    assert "_collective_key_base" in inspect.getsource(MirroredExtended)
    distributed = [base for base in keras.optimizers.Adam.__mro__ if "_all_reduce_sum_gradients" in vars(base)]
    assert any("self._all_reduce_sum_gradients(" in inspect.getsource(base) for base in distributed)
    assert "self._moments(" in inspect.getsource(keras.layers.BatchNormalization.call)
    assert "self.reduction" in inspect.getsource(keras.losses.Loss.__call__)

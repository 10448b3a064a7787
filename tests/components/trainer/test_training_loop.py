"""The network, the learning-rate schedules, and the model that training produces."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context, Model, Stored, Trainer, TransformedExamples
from components.artifacts import TransformedSplit
from components.base.errors import ConfigError
from components.base.progress import NoProgress
from components.inference.predictor import load_predictor
from components.inference.split_images import read_scaled
from components.testing.contract import make_inputs
from components.trainer.learning_rate import ConstantRate, CosineRate, OneCycleRate
from components.trainer.network import NetworkConfig, build_network

TINY = {"filters": (4, 4, 4), "dense": (8, 8), "dropout": 0.0}


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Stored[TransformedExamples]:
    made: Stored[TransformedExamples] = make_inputs(tmp_path_factory.mktemp("inputs"))[TransformedExamples]
    return made


def train(output: Path, transformed: Stored[TransformedExamples], **config: Any) -> Stored[Model]:
    output.mkdir(exist_ok=True)
    trainer = Trainer(
        Trainer.Config.model_validate({"network": TINY, "epochs": 3, "batch_size": 16, "exports": [], **config})
    )
    return Stored(trainer.run(Context(output=output), transformed=transformed), output)


class Recorder(NoProgress):
    """Records the epochs and steps that training reports."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int, int]] = []
        self.steps: list[tuple[int, int]] = []
        self.ended: list[set[str]] = []

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self.begun.append((epoch, epochs, steps))

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        assert {"loss", "accuracy"} <= set(metrics)
        self.steps.append((step, images))

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self.ended.append(set(metrics))


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, transformed: Stored[TransformedExamples], recorder: Recorder
) -> Stored[Model]:
    """Return a model whose training stopped early, and was recorded."""
    output = tmp_path_factory.mktemp("model")
    config = {"network": TINY, "epochs": 40, "batch_size": 7, "exports": []}
    # With a rate this high the loss oscillates, so that the last epoch is not the best.
    stopping = {"patience": 2, "monitor": "val_loss", "learning_rate": {"peak": 0.05}}
    trainer = Trainer(Trainer.Config.model_validate(config | stopping))
    return Stored(trainer.run(Context(output=output, progress=recorder), transformed=transformed), output)


def test_network_has_three_poolings_two_dense_and_softmax() -> None:
    import keras

    network = build_network(NetworkConfig(), image_shape=(28, 28, 1), classes=10, seed=0)
    kinds = [type(layer).__name__ for layer in network.layers]
    convolutions = [index for index, kind in enumerate(kinds) if kind == "Conv2D"]
    assert len(convolutions) == 3
    assert all(kinds[index + 1] == "MaxPooling2D" for index in convolutions)
    assert [kind for kind in kinds if kind == "Dense"] == ["Dense"] * 3
    assert isinstance(network, keras.Sequential)
    assert network.layers[-1].units == 10
    assert network.layers[-1].activation is keras.activations.softmax
    assert network.count_params() == 138_506


def test_config_sets_every_layer_size() -> None:
    config = NetworkConfig(filters=(3, 5, 7), kernels=(5, 3, 1), dense=(11, 9), dropout=0.5, batch_normalization=True)
    network = build_network(config, image_shape=(20, 24, 1), classes=4, seed=0)
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert shapes["pooling_3"] == (2, 3, 7)
    assert shapes["dense_1"] == (11,)
    assert shapes["probabilities"] == (4,)
    assert {"dropout_1", "dropout_2", "normalization_1", "normalization_3"} <= set(shapes)


def test_seed_determines_the_initial_weights() -> None:
    def weights(seed: int) -> list[Any]:
        network = build_network(NetworkConfig(**TINY), image_shape=(16, 16, 1), classes=3, seed=seed)
        return [array for array in network.get_weights() if array.any()]

    assert all(np.array_equal(one, other) for one, other in zip(weights(1), weights(1), strict=True))
    assert not any(np.array_equal(one, other) for one, other in zip(weights(1), weights(2), strict=True))


def test_images_too_small_for_the_poolings_are_an_error() -> None:
    with pytest.raises(ConfigError, match="leave nothing of images of 7x28 pixels"):
        build_network(NetworkConfig(), image_shape=(7, 28, 1), classes=10, seed=0)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (ConstantRate(rate=0.01), [0.01, 0.01, 0.01, 0.01]),
        (CosineRate(peak=0.02), [0.02, 0.017071, 0.01, 0.0]),
        (OneCycleRate(peak=0.02, warmup=0.25), [0.002, 0.02, 0.013333, 0.0]),
    ],
)
def test_schedules_have_the_expected_rates(schedule: Any, rates: list[float]) -> None:
    built = schedule.build(400)
    found = [float(built(step)) if callable(built) else built for step in (0, 100, 200, 400)]
    assert found == pytest.approx(rates, abs=1e-5)


def test_model_learns_and_keeps_its_best_epoch(model: Stored[Model]) -> None:
    history = model.artifact.history
    best = history[model.artifact.best_epoch - 1]
    assert best.val_accuracy == 1.0, "squares in noise are easy"
    assert best.val_loss == min(row.val_loss for row in history)


def test_stops_early_and_restores_the_best_weights(
    model: Stored[Model], transformed: Stored[TransformedExamples]
) -> None:
    history = model.artifact.history
    losses = [row.val_loss for row in history]
    assert model.artifact.stopped_early
    assert len(history) < 40
    assert model.artifact.best_epoch == int(np.argmin(losses)) + 1 == len(history) - 2
    validation = read_scaled(transformed, transformed.artifact.splits.validation)
    right = load_predictor(model)(validation.images).argmax(axis=1) == validation.labels
    assert right.mean() == pytest.approx(history[model.artifact.best_epoch - 1].val_accuracy)


def test_keras_file_and_saved_model_predict_the_same(
    model: Stored[Model], transformed: Stored[TransformedExamples]
) -> None:
    import tensorflow as tf

    scaled = read_scaled(transformed, transformed.artifact.splits.test).images
    raw = np.rint(scaled[..., 0] * 255).astype(np.uint8)
    assert model.artifact.saved_model is not None
    loaded = tf.saved_model.load(str(model.directory / model.artifact.saved_model))
    signature = loaded.signatures["serving_default"]
    assert signature.structured_input_signature[1]["images"].dtype == tf.uint8
    served = signature(images=tf.constant(raw))
    probabilities = load_predictor(model)(scaled)
    np.testing.assert_allclose(served["probabilities"].numpy(), probabilities, atol=1e-6)
    np.testing.assert_array_equal(served["label"].numpy(), probabilities.argmax(axis=1))
    one = signature(images=tf.constant(raw[:1]))
    np.testing.assert_allclose(one["probabilities"].numpy(), probabilities[:1], atol=1e-6)


def test_history_is_written_as_csv(model: Stored[Model]) -> None:
    with (model.directory / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == [row.val_loss for row in model.artifact.history]
    assert [float(row["learning_rate"]) for row in rows] == [row.learning_rate for row in model.artifact.history]


def test_model_records_its_environment(model: Stored[Model]) -> None:
    from components.runtime.resources import cpu_limit

    environment = model.artifact.environment
    assert environment.device == "CPU" or environment.device.startswith("GPU")
    assert environment.threads == cpu_limit()
    assert environment.versions["keras"].startswith("3.")
    assert environment.versions["tensorflow"] != "none"


def test_progress_reports_every_epoch_and_its_steps(
    model: Stored[Model], transformed: Stored[TransformedExamples], recorder: Recorder
) -> None:
    epochs = len(model.artifact.history)
    images = transformed.artifact.splits.train.count
    total = -(-images // 7)
    assert recorder.begun == [(epoch, 40, total) for epoch in range(1, epochs + 1)]
    assert recorder.ended == [{"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}] * epochs
    assert recorder.steps[-1] == (total, images)
    assert len(recorder.steps) > 5 * epochs


def test_loss_that_is_not_finite_is_an_error(tmp_path: Path, transformed: Stored[TransformedExamples]) -> None:
    poisoned = tmp_path / "poisoned"
    shutil.copytree(transformed.directory, poisoned)
    (shard,) = transformed.artifact.splits.train.shards
    shard = shard.model_copy(update={"inputs": "inputs.npy"})
    images = read_scaled(transformed, transformed.artifact.splits.train).images
    np.save(poisoned / "inputs.npy", images * np.float32(3e38))  # overflows in the first convolution
    splits = transformed.artifact.splits.model_copy(update={"train": TransformedSplit(shards=(shard,))})
    with pytest.raises(ConfigError, match="training diverged: the loss of epoch 1 is nan"):
        train(tmp_path / "out", Stored(transformed.artifact.model_copy(update={"splits": splits}), poisoned))


@pytest.mark.thorough
@pytest.mark.parametrize(("shift", "images"), [(1, 5), (2, 13)])
def test_predictions_are_means_over_shifted_images(
    tmp_path: Path, transformed: Stored[TransformedExamples], shift: int, images: int
) -> None:
    import tensorflow as tf

    averaged = train(tmp_path, transformed, test_time_shift=shift, epochs=1)
    assert averaged.artifact.test_time_shift == shift
    alone = Stored(averaged.artifact.model_copy(update={"test_time_shift": 0}), averaged.directory)
    test = read_scaled(transformed, transformed.artifact.splits.test).images
    padded = np.pad(test, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    size = test.shape[1]
    offsets = range(2 * shift + 1)
    near = [(row, column) for row in offsets for column in offsets if abs(row - shift) + abs(column - shift) <= shift]
    assert len(near) == images
    moved = [padded[:, row : row + size, column : column + size] for row, column in near]
    predict = load_predictor(alone)
    expected = np.mean([predict(batch) for batch in moved], axis=0)
    np.testing.assert_allclose(load_predictor(averaged)(test), expected, atol=1e-6)
    assert np.abs(predict(test) - expected).max() > 1e-4
    assert averaged.artifact.saved_model is not None
    serve = tf.saved_model.load(str(tmp_path / averaged.artifact.saved_model)).signatures["serving_default"]
    raw = tf.constant(np.rint(test[..., 0] * 255).astype(np.uint8))
    np.testing.assert_allclose(serve(images=raw)["probabilities"].numpy(), expected, atol=1e-6)


def test_convolution_without_padding_leaves_out_the_border() -> None:
    config = NetworkConfig(kernels=(5, 3, 3), padding=("valid", "valid", "same"))
    network = build_network(config, image_shape=(28, 28, 1), classes=10, seed=0)
    assert [network.get_layer(f"pooling_{number}").output.shape[1] for number in (1, 2, 3)] == [12, 5, 2]
    # 8 pixels are left of 12 by a kernel of 5, 4 by the pooling, 2 by a kernel of 3, 1 by the pooling.
    with pytest.raises(ConfigError, match="leave nothing of images of 15x28 pixels") as error:
        build_network(config, image_shape=(15, 28, 1), classes=10, seed=0)
    assert error.value.expected == "at least 16x16 pixels"
    build_network(config, image_shape=(16, 16, 1), classes=10, seed=0)


@pytest.mark.parametrize(("pooling", "sizes", "smallest"), [(2, [12, 5, 2], 16), (3, [12, 5, 3], 9)])
def test_poolings_halve_with_and_without_overlap(pooling: int, sizes: list[int], smallest: int) -> None:
    config = NetworkConfig(kernels=(5, 3, 3), padding=("valid", "valid", "same"), pooling=pooling)
    network = build_network(config, image_shape=(28, 28, 1), classes=10, seed=0)
    assert [network.get_layer(f"pooling_{number}").output.shape[1] for number in (1, 2, 3)] == sizes
    assert network.get_layer("pooling_1").pool_size == (pooling, pooling)
    build_network(config, image_shape=(smallest, smallest, 1), classes=10, seed=0)
    with pytest.raises(ConfigError, match="leave nothing"):
        build_network(config, image_shape=(smallest - 1, 28, 1), classes=10, seed=0)


@pytest.mark.thorough
def test_monitor_epoch_keeps_the_last_epoch(tmp_path: Path, transformed: Stored[TransformedExamples]) -> None:
    # As above, but training does not stop early, although the last epoch is not the best.
    rate = {"peak": 0.05}
    stored = train(tmp_path, transformed, epochs=12, patience=1, monitor="epoch", learning_rate=rate)
    losses = [row.val_loss for row in stored.artifact.history]
    assert (len(losses), stored.artifact.best_epoch, stored.artifact.stopped_early) == (12, 12, False)
    assert min(losses) < losses[-1] or losses != sorted(losses, reverse=True)

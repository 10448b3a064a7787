"""Custom networks: what they may be, and all parts that use a network."""

import hashlib
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from components import Context, Model, Stored, Trainer, TransformedExamples
from components.base.errors import ConfigError, TerminationError
from components.base.progress import NoProgress
from components.inference.averaging import average_over_shifts
from components.inference.predictor import load_network
from components.inference.split_images import read_scaled
from components.testing.contract import make_inputs
from components.trainer.config import TrainerConfig
from components.trainer.export.export import EXPORTERS, export_model
from components.trainer.export.serving_model import ExampleImages, ServingModel
from components.trainer.network import weights_digest
from components.trainer.network_function import NetworkFunction
from components.trainer.precision import with_precision
from tests.support.cases import parametrize_sample
from tests.support.networks import nested, residual, sequential
from tests.support.termination import TerminationAfter

Build = Callable[..., Any]
SHAPE, CLASSES = (8, 8, 1), 3


def build(function: Build, seed: int = 0) -> Any:
    return NetworkFunction.model_validate(function).build(image_shape=SHAPE, classes=CLASSES, seed=seed)


def without_arguments(filters: int = 3) -> None: ...


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"use": without_arguments}, r"has the parameters \(filters: int = 3\)"),
        ({"use": residual, "filter": 3}, "no option `filter`"),
        ({"use": residual, "filters": "many"}, "valid tuple"),
    ],
)
def test_a_function_that_does_not_fit_is_rejected(network: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainerConfig.model_validate({"network": network})


def test_options_with_defaults_are_part_of_the_identity() -> None:
    trainer = Trainer(TrainerConfig(network=NetworkFunction.model_validate(residual)))
    assert trainer.identity()["network"] == {"use": "tests.support.networks:residual", "filters": [4, 4]}


@parametrize_sample(1, "function", [residual, nested, sequential])
def test_equal_seeds_build_equal_networks(function: Build) -> None:
    one, other = (weights_digest(build(function)) for _ in range(2))
    assert one == other != weights_digest(build(function, seed=1))


def returns(network: Callable[[Any], Any]) -> Build:
    """Return a function that applies layers to images."""

    def build(image_shape: Any, classes: int, seed: int) -> Any:  # noqa: ARG001
        import keras

        inputs = keras.Input(image_shape)
        value = keras.layers.Flatten()(network(inputs))
        return keras.Model(inputs, keras.layers.Dense(classes, "softmax")(value))

    return build


def nothing(image_shape: Any, classes: int, seed: int) -> None: ...


def other_shape(image_shape: Any, classes: int, seed: int) -> Any:  # noqa: ARG001
    return residual((16, 16, 1), classes, seed)


def other_classes(image_shape: Any, classes: int, seed: int) -> Any:
    return residual(image_shape, classes + 1, seed)


def subclass(image_shape: Any, classes: int, seed: int) -> Any:  # noqa: ARG001
    import keras

    return type("Mine", (keras.Model,), {})()


def own_activation(image_shape: Any, classes: int, seed: int) -> Any:
    import keras

    return returns(keras.layers.Conv2D(3, 3, activation=lambda value: value))(image_shape, classes, seed)


def too_large(image_shape: Any, classes: int, seed: int) -> Any:
    import keras

    return returns(keras.layers.MaxPooling2D(9))(image_shape, classes, seed)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (nothing, "returned NoneType, not a keras.Model"),
        (subclass, "Mine, which is neither a keras.Sequential nor functional"),
        (other_shape, r"inputs have the shapes \[\(None, 16, 16, 1\)\], not one input of shape \(None, 8, 8, 1\)"),
        (other_classes, r"outputs have the shapes \[\(None, 4\)\], not one output of shape \(None, 3\)"),
        (own_activation, "returned a network with a lambda: exported models contain Keras's own layers only"),
        (too_large, "raised ValueError: Computed output size would be .* line"),
    ],
)
def test_a_network_that_cannot_be_used_is_an_error(function: Build, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        build(function)
    assert error.value.expected == "(image_shape, classes, seed, **options) -> keras.Model"


def test_a_network_that_ignores_the_seed_is_an_error() -> None:
    def unseeded(image_shape: Any, classes: int, seed: int) -> Any:
        network = residual(image_shape, classes, seed)
        random = np.random.default_rng()
        network.set_weights([random.random(weights.shape) for weights in network.get_weights()])
        return network

    with pytest.raises(ConfigError, match="returned other weights or seeds each time"):
        build(unseeded)


def test_dropout_that_ignores_the_seed_is_an_error() -> None:
    entropy = random.SystemRandom()

    def unseeded(image_shape: Any, classes: int, seed: int) -> Any:  # noqa: ARG001
        import keras

        dropout = keras.layers.Dropout(0.5, seed=entropy.randrange(2**31))
        output = keras.layers.Dense(classes, "softmax")
        return keras.Sequential([keras.Input(image_shape), keras.layers.Flatten(), dropout, output])

    with pytest.raises(ConfigError, match="returned other weights or seeds each time"):
        build(unseeded)


def test_random_sizes_of_layers_are_an_error() -> None:
    filters = itertools.cycle([(4, 4), (4, 8)])

    def unseeded(image_shape: Any, classes: int, seed: int) -> Any:
        return residual(image_shape, classes, seed, filters=next(filters))

    with pytest.raises(ConfigError, match="returned other weights or seeds each time"):
        build(unseeded)


def test_draws_of_another_thread_do_not_change_the_network() -> None:
    draws = iter([1, 0, 0])

    def disturbed(image_shape: Any, classes: int, seed: int) -> Any:
        for _ in range(next(draws)):
            random.getrandbits(32)
        return nested(image_shape, classes, seed)

    assert weights_digest(build(disturbed)) == weights_digest(build(nested))


@parametrize_sample(1, "function", [residual, nested])
def test_mixed_precision_leaves_weights_and_output_in_float32(function: Build) -> None:
    network = build(function)
    mixed = with_precision(network, "mixed_float16")
    images = np.random.default_rng(0).random((5, *SHAPE), dtype=np.float32)
    predicted, expected = mixed(images), network(images).numpy()
    assert predicted.dtype == "float32"
    assert mixed.layers[1].compute_dtype != "float32"
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    assert weights_digest(mixed) == weights_digest(network)
    np.testing.assert_allclose(predicted.numpy(), expected, atol=1e-2)
    mixed.compile("adam")
    assert mixed.optimizer.name == "loss_scale_optimizer", "small gradients do not become zero"


class Epochs(NoProgress):
    """Counts the epochs that begin."""

    count = 0

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:  # noqa: ARG002
        self.count += 1


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Stored[TransformedExamples]:
    inputs: Stored[TransformedExamples] = make_inputs(tmp_path_factory.mktemp("inputs"))[TransformedExamples]
    return inputs


def logits(image_shape: Any, classes: int, seed: int) -> Any:  # noqa: ARG001
    import keras

    return keras.Sequential([keras.Input(image_shape), keras.layers.Flatten(), keras.layers.Dense(classes)])


def bicubic(image_shape: Any, classes: int, seed: int) -> Any:
    import keras

    return returns(keras.layers.Resizing(9, 9, interpolation="bicubic"))(image_shape, classes, seed)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("function", "message", "remedy"),
    [
        (logits, "the outputs of the network are not probabilities: those of one image have the sum", "softmax"),
        (bicubic, "the LiteRT model of the network cannot be written: .*ResizeBicubic", "remove `litert` from"),
    ],
)
def test_a_network_that_cannot_be_exported_is_not_trained(
    function: Build, message: str, remedy: str, transformed: Stored[TransformedExamples], tmp_path: Path
) -> None:
    progress = Epochs()
    trainer = Trainer(TrainerConfig(network=NetworkFunction.model_validate(function), exports=("litert",)))
    with pytest.raises(ConfigError, match=message) as error:
        trainer.run(Context(output=tmp_path, progress=progress), transformed=transformed)
    assert remedy in error.value.remedy
    assert not progress.count
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
@pytest.mark.parametrize(("function", "shift"), [(residual, 0), (nested, 1), (sequential, 0)])
def test_every_format_contains_any_network(
    function: Build, shift: int, transformed: Stored[TransformedExamples], tmp_path: Path
) -> None:
    import tensorflow as tf

    stated = transformed.artifact
    shape, classes = stated.image_shape, len(stated.class_names)
    extension = NetworkFunction.model_validate(function)
    scaled = np.asarray(read_scaled(transformed, stated.splits.test).images)
    raw = np.rint(scaled[..., 0] * 255).astype(np.uint8)
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        network = extension.build(image_shape=shape, classes=classes, seed=0)
        model = ServingModel.from_network(network, stated.graph, shift)
        exports = export_model(
            model, EXPORTERS, ExampleImages(check=raw, calibration=lambda: [raw]), Context(output=folder)
        )
        assert [each.format for each in exports] == list(EXPORTERS)
    one, other = digests(tmp_path / "one"), digests(tmp_path / "other")
    if function is nested:  # tf2onnx orders the nodes around depthwise convolutions by their addresses in memory
        del one["model.onnx"], other["model.onnx"]
    assert one == other, "equal networks give equal bytes"
    linear: Model = make_inputs(tmp_path / "inputs")[Model].artifact
    stored = Stored(linear.model_copy(update={"format": "keras", "file": "model.keras"}), tmp_path / "one")
    predicted = average_over_shifts(load_network(stored), tf.constant(scaled), shift=shift).numpy()
    np.testing.assert_allclose(predicted, model.predict(raw), atol=1e-6)


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.thorough
def test_an_interrupted_training_ends_with_the_same_bytes(
    transformed: Stored[TransformedExamples], tmp_path: Path
) -> None:
    settings = {"network": residual, "epochs": 3, "batch_size": 4, "augmentation": {"rotation": 10.0}, "exports": ()}
    trainer = Trainer(TrainerConfig.model_validate(settings))
    checkpoints = tmp_path / "checkpoints"

    def run(name: str, **options: Any) -> Model:
        (tmp_path / name).mkdir()
        return trainer.run(Context(output=tmp_path / name, **options), transformed=transformed)

    undisturbed = run("undisturbed")
    with pytest.raises(TerminationError):
        run("interrupted", checkpoints=checkpoints, termination=TerminationAfter(25))
    residual(SHAPE, CLASSES, 0)  # layers that another program of the process creates change no name
    assert run("resumed", checkpoints=checkpoints) == undisturbed
    assert digests(tmp_path / "resumed") == digests(tmp_path / "undisturbed")

"""Operations of the transform: fitted on the training split, and equal in NumPy, TensorFlow, Keras and the exports."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from components import Context, Evaluation, Evaluator, Examples, Stored, Transform, TransformedExamples
from components.artifacts import GraphOperation
from components.base.errors import ConfigError, DataError
from components.inference.resize import resize_bilinear
from components.inference.split_images import open_pictures, read_raw, read_scaled
from components.inference.transform_graph import (
    apply_keras,
    apply_numpy,
    apply_tensorflow,
    describe,
    input_graph,
    scaling_graph,
)
from components.io.splits import iterate_examples
from components.testing import ComponentContract, FakeTrainer
from components.testing.contract import make_inputs
from components.transform import TransformConfig, component

STANDARDIZE = {"kind": "standardize"}
RESIZE = {"kind": "resize", "size": [20, 18]}


def local_contrast(pictures: Any, ops: Any, gain: float = 2.0) -> Any:
    mean = ops.mean(pictures, axis=(1, 2), keepdims=True)
    return ops.clip((pictures - mean) * gain, -1.0, 1.0)


def batch_contrast(pictures: Any, ops: Any) -> Any:
    return pictures - ops.mean(pictures)


def flat(pictures: Any, ops: Any) -> Any:
    return ops.reshape(pictures, (-1, 256))


def undefined(pictures: Any, ops: Any) -> Any:
    return ops.local_contrast(pictures)


def with_weights(pictures: Any, ops: Any) -> Any:
    import keras

    return pictures if ops is np else keras.layers.Dense(1)(pictures)


def with_code(pictures: Any, ops: Any) -> Any:
    import keras

    return pictures if ops is np else keras.layers.Lambda(lambda images: images)(pictures)


def other_in_keras(pictures: Any, ops: Any) -> Any:
    return pictures if ops is np else pictures * 1.001


AGAIN = {"use": f"{__name__}:local_contrast", "gain": 0.5}
FUNCTION = {"use": f"{__name__}:local_contrast", "gain": 1.5}
EVERYTHING = (RESIZE, STANDARDIZE, AGAIN, FUNCTION)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Stored[Examples]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))[Examples]


@pytest.fixture(scope="module")
def transformed(examples: Stored[Examples], tmp_path_factory: pytest.TempPathFactory) -> Stored[TransformedExamples]:
    return transform(examples, tmp_path_factory.mktemp("transformed"), *EVERYTHING)


def transform(examples: Stored[Examples], output: Path, *operations: Any) -> Stored[TransformedExamples]:
    made = Transform(TransformConfig.model_validate({"operations": operations}))
    return Stored(made.run(Context(output=output), examples=examples), output)


class TestTransformWithOperations(ComponentContract):
    component = Transform(TransformConfig.model_validate({"operations": [RESIZE, STANDARDIZE]}))


def test_an_operation_of_another_configuration_is_accepted() -> None:
    config = TransformConfig.model_validate({"operations": [STANDARDIZE, local_contrast]})
    assert TransformConfig(operations=config.operations) == config


def test_the_training_split_is_standardized(examples: Stored[Examples], tmp_path: Path) -> None:
    made = transform(examples, tmp_path, STANDARDIZE)
    train = read_scaled(made, made.artifact.splits.train).images
    assert train.mean(axis=(0, 1, 2), dtype=float) == pytest.approx(0, abs=1e-6)
    assert train.std(axis=(0, 1, 2), dtype=float) == pytest.approx(1, abs=1e-6)
    test = read_scaled(made, made.artifact.splits.test).images
    assert abs(test.mean(dtype=float)) > 1e-4, "the statistics are those of the training split"


def test_the_size_of_batches_does_not_change_the_result(
    examples: Stored[Examples], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    large = transform(examples, tmp_path / "large", RESIZE, STANDARDIZE)
    monkeypatch.setattr(component, "MAX_BATCH_IMAGES", 7)
    small = transform(examples, tmp_path / "small", RESIZE, STANDARDIZE)
    assert small.artifact == large.artifact
    for name in small.artifact.file_names():
        assert (small.directory / name).read_bytes() == (large.directory / name).read_bytes()


def test_pictures_and_raw_images_are_those_before_the_operations(
    examples: Stored[Examples], transformed: Stored[TransformedExamples], tmp_path: Path
) -> None:
    stated = transformed.artifact
    assert (stated.image_shape, stated.picture_shape) == ((20, 18, 1), (16, 16, 1))
    for name, split in stated.splits.items():
        (raw,) = iterate_examples(examples, dict(examples.artifact.splits.items())[name], rows=1000)
        assert np.array_equal(read_raw(transformed, split, slice(None)), raw.images)
        pictures = open_pictures(transformed, split)
        assert np.array_equal(pictures[:], apply_numpy(scaling_graph(), raw.images))
        assert np.array_equal(pictures.labels, raw.labels)
    plain = transform(examples, tmp_path)
    assert plain.artifact.test_sha256 == stated.test_sha256, "the same test images"
    (tmp_path / "built-in").mkdir()
    built_in = transform(examples, tmp_path / "built-in", RESIZE, STANDARDIZE)
    for made, stores in ((transformed, True), (plain, False), (built_in, False)):
        assert all(split.stores_inputs is stores for _, split in made.artifact.splits.items())


def test_all_libraries_compute_the_same_inputs(transformed: Stored[TransformedExamples]) -> None:
    stated = transformed.artifact
    raw = read_raw(transformed, stated.splits.test, slice(None))
    pictures = open_pictures(transformed, stated.splits.test)[:]
    expected = read_scaled(transformed, stated.splits.test).images
    served, keras_model = serve(stated.graph, raw)
    for made in (served, keras_model(raw).numpy(), apply_numpy(input_graph(stated.graph), pictures)):
        np.testing.assert_allclose(made, expected, atol=1e-6)
    name = "tests.components.transform.test_operations:local_contrast"
    steps = ("scaled to 0..1", "resized to 20x18", "standardized", f"converted by {name}", f"converted by {name}")
    assert describe(stated.graph) == ", ".join(steps)


def test_built_in_operations_have_the_same_bits_everywhere(transformed: Stored[TransformedExamples]) -> None:
    graph = transformed.artifact.graph[:-2]
    raw = read_raw(transformed, transformed.artifact.splits.test, slice(None))
    served, keras_model = serve(graph, raw)
    assert np.array_equal(apply_numpy(graph, raw), served)
    assert np.array_equal(keras_model(raw).numpy(), served)


def serve(graph: tuple[GraphOperation, ...], raw: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Any]:
    """Return what the graph computes as a TensorFlow function, and its Keras model."""
    from components.runtime.tensorflow import import_tensorflow

    tf = import_tensorflow()
    import keras

    images = keras.Input(raw.shape[1:], dtype="uint8")
    served = tf.function(lambda images: apply_tensorflow(graph, images), autograph=False)(tf.constant(raw))
    return served.numpy(), keras.Model(images, apply_keras(graph, images))


def test_scaling_has_the_same_bits_everywhere() -> None:
    every_gray = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    scaled = apply_numpy(scaling_graph(), every_gray)
    served, keras_model = serve(scaling_graph(), every_gray)
    from_keras = keras_model(every_gray).numpy()
    assert scaled.dtype == served.dtype == from_keras.dtype == np.float32
    np.testing.assert_array_equal(scaled, served)
    np.testing.assert_array_equal(scaled, from_keras)
    np.testing.assert_allclose(scaled.reshape(-1), np.arange(256) / 255, rtol=1e-7)
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_the_keras_file_has_equal_bytes_and_does_not_train(
    transformed: Stored[TransformedExamples], tmp_path: Path
) -> None:
    import keras
    from keras import layers

    from components.trainer.export import keras_file
    from components.trainer.export.serving_model import ExampleImages, ServingModel

    stated = transformed.artifact
    raw = read_raw(transformed, stated.splits.test, slice(None))
    body = [layers.Flatten(), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    network = keras.Sequential([keras.Input(stated.image_shape), *body])
    model = ServingModel.from_network(network, stated.graph, picture_shape=stated.picture_shape)
    for name in ("one.keras", "two.keras"):
        keras_file.write(model, tmp_path / name, ExampleImages(check=raw, calibration=lambda: [raw]))
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    loaded = keras.models.load_model(tmp_path / "one.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(loaded(raw).numpy(), model.predict(raw), atol=1e-6)  # without `training=False`


@pytest.mark.parametrize("size", [(9, 7), (16, 16), (23, 40)])
def test_numpy_resizes_with_the_bits_of_tensorflow(size: tuple[int, int]) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (5, 16, 13, 3), dtype=np.uint8)
    graph = (*scaling_graph(3), GraphOperation(op="resize", size=size))
    served, keras_model = serve(graph, raw)
    resized = resize_bilinear(apply_numpy(scaling_graph(3), raw), *size)
    assert np.array_equal(resized, served)
    assert np.array_equal(resized, keras_model(raw).numpy())


def test_colors_are_standardized_per_channel() -> None:
    from components.transform.operations import Standardize

    images = np.random.default_rng(0).random((50, 4, 4, 3), np.float32) * np.array([1, 0.5, 0], np.float32)
    graph = Standardize(kind="standardize").fit([images[:7], images[7:]])
    standardized = apply_numpy(graph, images)
    assert standardized.mean(axis=(0, 1, 2)) == pytest.approx(0, abs=1e-6)
    assert standardized.std(axis=(0, 1, 2)) == pytest.approx([1, 1, 0], abs=1e-6), "a channel of one value stays"


def test_the_graph_does_not_depend_on_earlier_models(
    examples: Stored[Examples], transformed: Stored[TransformedExamples], tmp_path: Path
) -> None:
    again = transform(examples, tmp_path, *EVERYTHING)
    assert again.artifact == transformed.artifact
    assert json.loads((tmp_path / "graph.json").read_text())[-1]["name"] == FUNCTION["use"]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (batch_contrast, "returns other images with keras.ops"),
        (other_in_keras, "returns other images with keras.ops"),
        (with_weights, "uses Dense, but exports contain only"),
        (with_code, "uses Lambda, but exports contain only"),
        (flat, "returned .* for pictures"),
        (undefined, "raised AttributeError"),
    ],
)
def test_a_function_that_does_not_fit_fails_before_training(
    function: Any, problem: str, examples: Stored[Examples], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        transform(examples, tmp_path, function)
    assert error.value.expected == "(pictures, ops, **options) -> pictures"


def test_images_are_reduced_to_half_at_most(examples: Stored[Examples], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="16x16 pixels to 7x16") as error:
        transform(examples, tmp_path, {"kind": "resize", "size": [7, 16]})
    assert error.value.expected == "at least 8x8, half of the size"


@pytest.mark.parametrize(
    "operation", [{"kind": "whiten"}, {"kind": "resize"}, {"kind": "resize", "size": [0, 5]}, "standardize", {}]
)
def test_unknown_operations_are_rejected(operation: object) -> None:
    with pytest.raises(ValidationError):
        TransformConfig.model_validate({"operations": [operation]})


def test_images_that_the_graph_does_not_make_are_rejected(transformed: Stored[TransformedExamples]) -> None:
    from components.trainer.export.export import read_example_images

    graph = (*transformed.artifact.graph[:-1],)
    assert len(read_example_images(transformed).check) == transformed.artifact.splits.validation.count
    with pytest.raises(DataError, match="does not make these images"):
        read_example_images(Stored(transformed.artifact.model_copy(update={"graph": graph}), transformed.directory))


def test_evaluation_measures_pictures_and_predicts_inputs(examples: Stored[Examples], tmp_path: Path) -> None:
    def evaluate(name: str, *operations: Any) -> Evaluation:
        for part in ("transform", "train", "evaluate"):
            (tmp_path / name / part).mkdir(parents=True)
        made = transform(examples, tmp_path / name / "transform", *operations)
        output = tmp_path / name / "train"
        model = Stored(FakeTrainer().run(Context(output=output), transformed=made), output)
        return Evaluator().run(Context(output=tmp_path / name / "evaluate"), transformed=made, model=model)

    plain, found = evaluate("plain"), evaluate("operations", RESIZE, STANDARDIZE)
    assert found.test_sha256 == plain.test_sha256
    bounds, expected = ([(each.key, each.low, each.high) for each in made.slices] for made in (found, plain))
    assert bounds == expected, "properties of pictures"
    assert found.robustness is not None
    assert found.robustness.clean_accuracy == found.metrics.accuracy == 1.0

"""Exported models predict raw images like the network in memory, each in its own runtime alone."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context, Model, Stored, TransformedExamples
from components.artifacts import LOSSY_FORMATS, ExportFormat, GraphOperation, Splits, TransformedShard, TransformedSplit
from components.base.errors import ConfigError, DataError, JobError
from components.base.progress import NoProgress
from components.inference.predictor import NETWORK_LAYER, load_network
from components.inference.split_images import read_raw, read_scaled
from components.inference.transform_graph import apply_numpy
from components.testing.contract import make_inputs
from components.trainer import Trainer
from components.trainer.export import litert, litert_int8
from components.trainer.export.export import CHECK_IMAGES, EXPORTERS, export_model, read_example_images
from components.trainer.export.serving_model import ExampleImages, Outputs, RawImages, ServingModel
from tests.support.processes import REPOSITORY

FORMATS: tuple[ExportFormat, ...] = tuple(EXPORTERS)
SHIFT = 1
"""Pixels; with a shift, an export contains more than the network."""
FORBIDDEN_MODULES = {
    "saved_model": ["keras"],
    "litert": ["tensorflow", "keras"],
    "litert_int8": ["tensorflow", "keras"],
    "onnx": ["tensorflow", "keras"],
}
"""Modules that must not be needed to load a format."""


def snippets() -> dict[str, str]:
    """Return the code in the README that loads each format."""
    section = (REPOSITORY / "components/inference/README.md").read_text(encoding="utf-8").partition("## Exports")[2]
    blocks = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    code = {name: block for name, each in EXPORTERS.items() for block in blocks if f'"{each.FILE_NAME}"' in block}
    return code | {"litert_int8": code["litert"].replace(litert.FILE_NAME, litert_int8.FILE_NAME)}


class Inputs:
    """An untrained network and raw images for it."""

    def __init__(self, folder: Path) -> None:
        self.transformed: Stored[TransformedExamples] = make_inputs(folder)[TransformedExamples]
        stated = self.transformed.artifact
        self.images = read_raw(self.transformed, stated.splits.test, slice(None))
        self.examples = ExampleImages(check=self.images, calibration=lambda: [self.images])

    def serving_model(self, shift: int = 0, seed: int = 0) -> ServingModel:
        from components.trainer.network import NetworkConfig, build_network

        stated = self.transformed.artifact
        config = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), batch_normalization=True)
        classes = len(stated.class_names)
        network = build_network(config, image_shape=stated.image_shape, classes=classes, seed=seed)
        return ServingModel.from_network(network, stated.graph, shift)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


Export = Callable[..., tuple[Path, ServingModel]]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory, inputs: Inputs) -> Export:
    """Return a function that exports one network, once in each format, and returns the folder of all."""
    directory = tmp_path_factory.mktemp("exported")
    model = inputs.serving_model(SHIFT)
    existing: set[ExportFormat] = set()

    def export_formats(*formats: ExportFormat) -> tuple[Path, ServingModel]:
        if missing := [name for name in formats if name not in existing]:
            exports = export_model(model, missing, inputs.examples, Context(output=directory))
            assert [each.format for each in exports] == missing
            assert all(each.largest_difference <= each.tolerance == tolerance(each.format) for each in exports)
            assert all(each.images == len(inputs.images) for each in exports)
            existing.update(missing)
        return directory, model

    return export_formats


def tolerance(name: ExportFormat) -> float:
    return 1.0 if name in LOSSY_FORMATS else 1e-5


SLOW = [pytest.param(name, marks=pytest.mark.thorough) for name in FORMATS if name != "litert"]


@pytest.mark.parametrize("name", [*SLOW, "litert"])
def test_each_runtime_predicts_like_the_network_in_memory(
    name: ExportFormat, export: Export, inputs: Inputs, tmp_path: Path
) -> None:
    directory, model = export(name)
    np.save(tmp_path / "images.npy", inputs.images)
    script = f"""
import sys
import numpy as np
sys.modules.update(dict.fromkeys({FORBIDDEN_MODULES.get(name, [])}))
images = np.load({str(tmp_path / "images.npy")!r})
{snippets()[name]}
assert not any(name.startswith(("components", "job.")) for name in sys.modules)
np.save({str(tmp_path / "probabilities.npy")!r}, probabilities)
"""
    subprocess.run([sys.executable, "-P", "-c", script], cwd=directory, check=True, timeout=120)
    predicted, expected = np.load(tmp_path / "probabilities.npy"), model.predict(inputs.images)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, expected, atol=0.02 if name == "litert_int8" else 1e-5)
    assert np.ptp(expected, axis=0).max() > 0.01, "the predictions depend on the images"


@pytest.mark.thorough
def test_labels_are_the_most_probable_classes(export: Export, inputs: Inputs) -> None:
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    directory, model = export(*FORMATS)
    labels = model.predict(inputs.images).argmax(axis=1)
    saved = tf.saved_model.load(str(directory / "saved_model")).signatures["serving_default"]
    lite = Interpreter(str(directory / "model.tflite")).get_signature_runner("serving_default")
    (onnx,) = onnxruntime.InferenceSession(directory / "model.onnx").run(["label"], {"images": inputs.images})
    for predicted in (
        saved(images=tf.constant(inputs.images))["label"].numpy(),
        lite(images=inputs.images)["label"],
        onnx,
    ):
        assert predicted.dtype == np.int64
        np.testing.assert_array_equal(predicted, labels)


@pytest.mark.thorough
def test_equal_weights_give_equal_bytes_without_output(
    export: Export, inputs: Inputs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory, model = export(*FORMATS)
    again = inputs.serving_model(model.test_time_shift)  # after this process has created and named much else
    capfd.readouterr()
    export_model(again, FORMATS, inputs.examples, Context(output=tmp_path))
    assert capfd.readouterr() == ("", "")
    assert contents(tmp_path) == contents(directory)


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("name", [*SLOW, "litert"])
def test_different_predictions_are_an_error(
    name: ExportFormat, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = certain(inputs.serving_model()), certain(inputs.serving_model(seed=1))
    exporter = EXPORTERS[name]
    write = exporter.write
    monkeypatch.setattr(exporter, "write", lambda _, path, images: write(other, path, images))
    message = f"{exporter.TITLE} {exporter.FILE_NAME} predicts .* images differently"
    with pytest.raises(JobError, match=message) as error:
        export_model(model, [name], inputs.examples, Context(output=tmp_path))
    assert type(error.value) is (ConfigError if name in LOSSY_FORMATS else JobError)
    expected = "the same class for at least 90%" if name == "litert_int8" else "at most 1e-05"
    assert error.value.expected.startswith(expected)
    optional = name in ("litert", "litert_int8", "onnx")
    assert error.value.remedy == (f"remove `{name}` from trainer.exports" if optional else "report it as a bug")


def certain(model: ServingModel) -> ServingModel:
    """Change the model to one whose predictions are certain, and return it."""
    kernel, bias = model.network.layers[-1].get_weights()
    model.network.layers[-1].set_weights([50 * kernel, bias])
    return model


@pytest.mark.parametrize(
    ("wrong", "tie", "fails"), [(0.1, False, False), (0.2, False, True), (1.0, True, False), (np.nan, True, True)]
)
def test_int8_has_other_classes_for_few_images(
    wrong: float, tie: bool, fails: bool, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = inputs.serving_model()
    highest = 0.54 if tie else 1.0
    expected = np.tile(np.array([highest, 1 - highest, 0], np.float32), (10, 1))
    exported = expected.copy()
    if np.isnan(wrong):
        exported[0] = np.nan
    else:
        rows = round(wrong * len(expected))
        exported[:rows] = [0, 1, 0]
    monkeypatch.setattr(ServingModel, "predict", lambda *_: expected)
    monkeypatch.setattr(litert_int8, "write", lambda *_: None)
    monkeypatch.setattr(litert_int8, "predict", lambda *_: {"probabilities": exported})
    context = Context(output=tmp_path)
    if fails:
        with pytest.raises(ConfigError, match="predicts 10 images differently"):
            export_model(model, ["litert_int8"], inputs.examples, context)
    else:
        (export,) = export_model(model, ["litert_int8"], inputs.examples, context)
        assert export.same_class == pytest.approx(1 - wrong)


@pytest.mark.thorough
def test_wrong_labels_are_an_error(inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predict = litert.predict

    def predict_wrong_labels(path: Path, images: RawImages) -> Outputs:
        outputs = predict(path, images)
        return {**outputs, "label": 1 - outputs["label"]}

    monkeypatch.setattr(litert, "predict", predict_wrong_labels)
    with pytest.raises(JobError, match="predicts .* images differently"):
        export_model(inputs.serving_model(), ["litert"], inputs.examples, Context(output=tmp_path))


@pytest.mark.thorough
def test_int8_file_is_small_and_has_scales_for_channels(inputs: Inputs, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    for exporter in (litert, litert_int8):
        exporter.write(inputs.serving_model(), tmp_path / exporter.FILE_NAME, inputs.examples)
    small, large = (tmp_path / each.FILE_NAME for each in (litert_int8, litert))
    assert small.stat().st_size < 0.7 * large.stat().st_size
    tensors = Interpreter(str(small)).get_tensor_details()
    scaled = [each["dtype"] for each in tensors if len(each["quantization_parameters"]["scales"]) > 1]
    assert scaled.count(np.int8) == 6, "three convolutions and three dense layers"
    not_int8 = {np.uint8, np.float32, np.int64}  # raw images, the same as float32, probabilities, labels
    assert sum(each["dtype"] in not_int8 for each in tensors) == 4


@pytest.mark.thorough
def test_calibration_images_determine_the_ranges_of_int8(inputs: Inputs, tmp_path: Path) -> None:
    black = ExampleImages(check=inputs.images, calibration=lambda: [np.zeros_like(inputs.images)])
    litert_int8.write(inputs.serving_model(), tmp_path / "black.tflite", black)
    litert_int8.write(inputs.serving_model(), tmp_path / "real.tflite", inputs.examples)
    expected = inputs.serving_model().predict(inputs.images)
    errors = {
        path.stem: np.abs(litert_int8.predict(path, inputs.images)["probabilities"] - expected).max()
        for path in tmp_path.iterdir()
    }
    assert errors["black"] > 3 * errors["real"]


def test_calibration_images_are_spaced_over_the_training_split(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.trainer.export.export.CALIBRATION_IMAGES", 3)
    monkeypatch.setattr("components.trainer.export.export.CALIBRATION_BATCH", 2)
    train = read_raw(inputs.transformed, inputs.transformed.artifact.splits.train, slice(None))
    images = read_example_images(inputs.transformed)
    first, second = images.calibration()
    np.testing.assert_array_equal(first, train[[0, (len(train) - 1) // 2]])
    np.testing.assert_array_equal(second, train[-1:])


def test_calibration_images_are_read_only_on_demand(inputs: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    shutil.copytree(inputs.transformed.directory, folder)
    images = read_example_images(Stored(inputs.transformed.artifact, folder))
    for shard in inputs.transformed.artifact.splits.train.shards:
        (folder / shard.raw).unlink()
    with pytest.raises(FileNotFoundError):
        list(images.calibration())


@pytest.mark.thorough
def test_litert_needs_no_other_folder(inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    litert.write(inputs.serving_model(), tmp_path / "model.tflite", inputs.examples)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]
    assert set(litert.predict(tmp_path / "model.tflite", inputs.images)) == {"probabilities", "label"}
    assert tempfile.tempdir == str(tmp_path / "no such folder")


@pytest.mark.thorough
def test_export_ignores_the_global_dtype_policy(inputs: Inputs, tmp_path: Path) -> None:
    import keras

    model = inputs.serving_model(SHIFT)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        export_model(model, ["keras"], inputs.examples, Context(output=tmp_path))
    finally:
        keras.config.set_dtype_policy("float32")


def test_keras_file_has_no_key_of_a_recent_release(export: Export) -> None:
    directory, _ = export("keras")
    with zipfile.ZipFile(directory / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert config["class_name"] == "Sequential", "releases before 3.8 read a single input in another form"
    keys = keys_within(config)
    assert not {"input_axes", "output_axes", "quantization_config", "optional", "ragged", "shared_object_id"} & keys
    assert {"seed", "rate", "offset", "data_format", "target_shape", "momentum"} < keys


def keys_within(value: Any) -> set[str]:
    """Return the keys of all objects within a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_within, value.values()))
    return set().union(*map(keys_within, value)) if isinstance(value, list) else set()


def test_unexportable_graph_is_an_error_before_training(inputs: Inputs, tmp_path: Path) -> None:
    graph = (GraphOperation(op="cast", dtype="float32"), GraphOperation(op="expand_dims", axis=1))
    other = inputs.transformed.artifact.model_copy(update={"graph": graph})
    fails_before_training(Stored(other, inputs.transformed.directory), tmp_path, "axis")


def test_inputs_of_another_graph_are_an_error_before_training(inputs: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    shutil.copytree(inputs.transformed.directory, folder)
    splits = {}
    for name, split in inputs.transformed.artifact.splits.items():
        np.save(folder / f"{name}_inputs.npy", read_scaled(inputs.transformed, split).images * np.float32(2))
        shard = split.shards[0].model_copy(update={"inputs": f"{name}_inputs.npy"})
        splits[name] = TransformedSplit(shards=(shard,))
    other = inputs.transformed.artifact.model_copy(update={"splits": Splits[TransformedSplit](**splits)})
    fails_before_training(Stored(other, folder), tmp_path / "output", "does not make these images")


def fails_before_training(transformed: Stored[TransformedExamples], output: Path, why: str) -> None:
    progress = EpochCounter()
    with pytest.raises(DataError, match=f"could not be exported: .*{why}") as error:
        Trainer().run(Context(output=output, progress=progress), transformed=transformed)
    assert error.value.exit_code == 3
    assert not progress.epochs


class EpochCounter(NoProgress):
    """Counts the epochs that begin."""

    epochs = 0

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:  # noqa: ARG002
        self.epochs += 1


def test_equivalent_scaling_graphs_can_be_exported(inputs: Inputs, tmp_path: Path) -> None:
    graph = (
        GraphOperation(op="expand_dims", axis=3),
        GraphOperation(op="cast", dtype="float32"),
        GraphOperation(op="multiply", by=0.5),
        GraphOperation(op="multiply", by=0.25),
    )
    scaled = inputs.images[..., None].astype(np.float32) * np.float32(0.125)
    artifact = inputs.transformed.artifact.model_copy(update={"graph": graph})
    shard = TransformedShard(raw="raw.npy", labels="labels.npy", inputs="inputs.npy", count=len(scaled))
    splits = artifact.splits.model_copy(
        update=dict.fromkeys(("train", "validation"), TransformedSplit(shards=(shard,)))
    )
    for name, array in (("raw", inputs.images), ("labels", np.zeros(len(scaled), np.int64)), ("inputs", scaled)):
        np.save(tmp_path / f"{name}.npy", array)
    images = read_example_images(Stored(artifact.model_copy(update={"splits": splits}), tmp_path))
    np.testing.assert_array_equal(images.check, inputs.images[:CHECK_IMAGES])
    np.testing.assert_array_equal(np.concatenate(list(images.calibration())), inputs.images)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["mine", NETWORK_LAYER])
def test_network_is_found_under_any_name(inputs: Inputs, tmp_path: Path, name: str) -> None:
    import keras

    original = inputs.serving_model()
    network = keras.Sequential([keras.Input(original.network.input_shape[1:]), *original.network.layers], name=name)
    export_model(
        ServingModel.from_network(network, original.graph), ["keras"], inputs.examples, Context(output=tmp_path)
    )
    network.save(tmp_path / "alone.keras")
    scaled = apply_numpy(original.graph, inputs.images)
    linear: Model = make_inputs(tmp_path / "inputs")[Model].artifact
    for file in ("model.keras", "alone.keras"):
        model = linear.model_copy(update={"format": "keras", "file": file})
        probabilities = load_network(Stored(model, tmp_path))(scaled).numpy()
        np.testing.assert_allclose(probabilities, original.predict(inputs.images), atol=1e-6)


def test_exports_are_sorted_and_unique() -> None:
    config = Trainer.Config.model_validate({"exports": ["onnx", "litert", "onnx"]})
    assert config == Trainer.Config(exports=("litert", "onnx"))


def test_preflight_reports_missing_onnx_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(Trainer.Config.model_validate({"exports": ["onnx"]}))
    trainer.preflight()
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # as if it were not installed
    with pytest.raises(ConfigError, match="not installed: tf2onnx\n") as error:
        trainer.preflight()
    assert "make extras" in error.value.remedy
    Trainer().preflight()


def test_fingerprint_has_onnx_packages_only_with_onnx() -> None:
    assert not {"tf2onnx", "onnx"} & set(Trainer().libraries)
    assert {"tf2onnx", "onnx", "onnxruntime"} < set(Trainer(Trainer.Config(exports=("onnx",))).libraries)


@pytest.mark.thorough
def test_model_lists_its_exports(tmp_path: Path, inputs: Inputs) -> None:
    network = {"filters": [4, 4, 4], "dense": [8, 8]}
    config = Trainer.Config.model_validate({"network": network, "epochs": 1, "exports": []})
    model = Trainer(config).run(Context(output=tmp_path, progress=NoProgress()), transformed=inputs.transformed)
    assert [each.format for each in model.exports] == ["keras", "saved_model"]
    assert model.saved_model == "saved_model"
    assert set(model.file_names()) == {"model.keras", "saved_model", "history.csv", "steps.csv"}
    assert {path.name for path in tmp_path.iterdir()} == set(model.file_names())

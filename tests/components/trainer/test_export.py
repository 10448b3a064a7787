"""What is exported answers raw images as the network in memory does, in the runtime that it is for and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from components import Context, Model, Stored, TransformedExamples
from components.artifacts import ExportFormat, GraphOperation
from components.base.errors import ConfigError, DataError, JobError
from components.base.progress import NoProgress
from components.inference.predictor import NETWORK_LAYER, load_network
from components.inference.transform_graph import apply_numpy, invert_numpy
from components.io.splits import read_scaled
from components.testing.contract import make_inputs
from components.trainer import Trainer
from components.trainer.export import litert, onnx_file
from components.trainer.export.export import FORMS, export, raw_images
from components.trainer.export.exporter import Answers
from components.trainer.export.serving_model import ServingModel

REPOSITORY = Path(__file__).parents[3]
EVERY: tuple[ExportFormat, ...] = tuple(FORMS)
SHIFT = 1
"""Pixels: of answers that are means, what is exported is more than the network."""
BARRED = {"saved_model": ["keras"], "litert": ["tensorflow", "keras"], "onnx": ["tensorflow", "keras"]}
"""What a form is read without."""


def snippets() -> dict[str, str]:
    """Return what README.md says that a stranger does with each form."""
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("## The model elsewhere")[2]
    blocks = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    return {form: block for form, (_, file) in FORMS.items() for block in blocks if f'"{file}"' in block}


class Inputs:
    """An untrained network and raw images for it."""

    def __init__(self, folder: Path) -> None:
        self.transformed: Stored[TransformedExamples] = make_inputs(folder)[TransformedExamples]
        stated = self.transformed.artifact
        self.images = invert_numpy(stated.graph, np.asarray(read_scaled(self.transformed, stated.splits.test).images))

    def deployable(self, shift: int = 0, seed: int = 0) -> ServingModel:
        from components.trainer.network import NetworkConfig, build_network

        stated = self.transformed.artifact
        config = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), batch_normalization=True)
        classes = len(stated.class_names)
        network = build_network(config, image_shape=stated.image_shape, classes=classes, seed=seed)
        return ServingModel.of(network, stated.graph, shift)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, inputs: Inputs) -> tuple[Path, ServingModel]:
    directory = tmp_path_factory.mktemp("exported")
    deployable = inputs.deployable(SHIFT)
    stated = export(deployable, EVERY, inputs.images, Context(output=directory))
    assert [each.format for each in stated] == list(EVERY)
    assert all(each.largest_difference <= each.tolerance == 1e-5 for each in stated)
    assert all(each.images == len(inputs.images) for each in stated)
    return directory, deployable


@pytest.mark.parametrize("form", EVERY)
def test_its_own_runtime_reads_raw_images_as_the_network_in_memory_does(
    form: str, exported: tuple[Path, ServingModel], inputs: Inputs, tmp_path: Path
) -> None:
    directory, deployable = exported
    np.save(tmp_path / "images.npy", inputs.images)
    script = f"""
import sys
import numpy as np
sys.modules.update(dict.fromkeys({BARRED.get(form, [])}))
images = np.load({str(tmp_path / "images.npy")!r})
{snippets()[form]}
assert not any(name.startswith(("components", "job.")) for name in sys.modules)
np.save({str(tmp_path / "answers.npy")!r}, probabilities)
"""
    subprocess.run([sys.executable, "-P", "-c", script], cwd=directory, check=True, timeout=120)
    answered, expected = np.load(tmp_path / "answers.npy"), deployable.answer(inputs.images)
    assert answered.dtype == np.float32
    np.testing.assert_allclose(answered, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.01, "the answers are about the images"


def test_the_labels_are_those_of_the_highest_probability(exported: tuple[Path, ServingModel], inputs: Inputs) -> None:
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    directory, deployable = exported
    labels = deployable.answer(inputs.images).argmax(axis=1)
    saved = tf.saved_model.load(str(directory / "saved_model")).signatures["serving_default"]
    lite = Interpreter(str(directory / "model.tflite")).get_signature_runner("serving_default")
    (onnx,) = onnxruntime.InferenceSession(directory / "model.onnx").run(["label"], {"images": inputs.images})
    for answered in (
        saved(images=tf.constant(inputs.images))["label"].numpy(),
        lite(images=inputs.images)["label"],
        onnx,
    ):
        assert answered.dtype == np.int64
        np.testing.assert_array_equal(answered, labels)


def test_the_same_weights_are_the_same_bytes_and_converting_says_nothing(
    exported: tuple[Path, ServingModel], inputs: Inputs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory, deployable = exported
    again = inputs.deployable(deployable.test_time_shift)  # after much else in this process was made and named
    capfd.readouterr()
    export(again, EVERY, inputs.images, Context(output=tmp_path))
    assert capfd.readouterr() == ("", "")
    assert contents(tmp_path) == contents(directory)


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("form", EVERY)
def test_a_form_that_answers_otherwise_is_not_kept(
    form: ExportFormat, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = inputs.deployable(seed=1)
    module, file = FORMS[form]
    write = module.write
    monkeypatch.setattr(module, "write", lambda _, path, images: write(other, path, images))
    with pytest.raises(JobError, match=f"{module.TITLE} {file} answers .* images otherwise") as error:
        export(inputs.deployable(), [form], inputs.images, Context(output=tmp_path))
    assert error.value.expected.startswith("at most 1e-05")
    optional = form in ("litert", "onnx")
    assert error.value.remedy == (f"take `{form}` out of trainer.exports" if optional else "report it as a defect")


def test_a_form_whose_labels_are_others_is_not_kept(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = litert.read

    def mistaken(path: Path) -> Callable[[NDArray[np.uint8]], Answers]:
        answer = read(path)
        return lambda images: {**answer(images), "label": 1 - answer(images)["label"]}

    monkeypatch.setattr(litert, "read", mistaken)
    with pytest.raises(JobError, match="answers .* images otherwise"):
        export(inputs.deployable(), ["litert"], inputs.images, Context(output=tmp_path))


def test_litert_is_written_where_there_is_room_for_nothing_else(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    litert.write(inputs.deployable(), tmp_path / "model.tflite", inputs.images)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]
    assert set(litert.read(tmp_path / "model.tflite")(inputs.images)) == {"probabilities", "label"}
    assert tempfile.tempdir == str(tmp_path / "no such folder")


def test_the_policy_of_the_process_is_not_that_of_the_file(inputs: Inputs, tmp_path: Path) -> None:
    import keras

    deployable = inputs.deployable(SHIFT)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        export(deployable, ["keras"], inputs.images, Context(output=tmp_path))
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ([{"op": "cast", "dtype": "float32"}, {"op": "expand_dims", "axis": -1}], "does not make these images"),
        ([{"op": "cast", "dtype": "float32"}, {"op": "expand_dims", "axis": 1}], "axis"),
    ],
)
def test_what_could_not_be_exported_is_told_before_it_is_trained(
    inputs: Inputs, tmp_path: Path, graph: list[dict[str, Any]], says: str
) -> None:
    stated = inputs.transformed.artifact
    other = type(stated).model_validate({**stated.model_dump(), "graph": graph})
    trained = Watching()
    with pytest.raises(DataError, match=f"could not be exported: .*{says}") as error:
        Trainer().run(
            Context(output=tmp_path, progress=trained), transformed=Stored(other, inputs.transformed.directory)
        )
    assert error.value.exit_code == 3
    assert not trained.epochs


class Watching(NoProgress):
    """Counts the epochs that begin."""

    epochs = 0

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:  # noqa: ARG002
        self.epochs += 1


def test_every_way_to_state_the_same_scaling_is_exported(inputs: Inputs) -> None:
    graph = (
        GraphOperation(op="expand_dims", axis=3),
        GraphOperation(op="cast", dtype="float32"),
        GraphOperation(op="multiply", by=0.5),
        GraphOperation(op="multiply", by=0.25),
    )
    scaled = inputs.images[..., None].astype(np.float32) * np.float32(0.125)
    np.testing.assert_array_equal(raw_images(graph, scaled), inputs.images)


@pytest.mark.parametrize("name", ["mine", NETWORK_LAYER])
def test_a_network_of_any_name_is_found_again(inputs: Inputs, tmp_path: Path, name: str) -> None:
    import keras

    made = inputs.deployable()
    network = keras.Sequential([keras.Input(made.network.input_shape[1:]), *made.network.layers], name=name)
    deployable = ServingModel.of(network, made.graph)
    export(deployable, ["keras"], inputs.images, Context(output=tmp_path))
    network.save(tmp_path / "alone.keras")
    scaled = apply_numpy(made.graph, inputs.images)
    linear: Model = make_inputs(tmp_path / "inputs")[Model].artifact
    for file in ("model.keras", "alone.keras"):
        model = linear.model_copy(update={"format": "keras", "file": file})
        answers = load_network(Stored(model, tmp_path))(scaled).numpy()
        np.testing.assert_allclose(answers, made.answer(inputs.images), atol=1e-6)


def test_exports_are_a_set() -> None:
    config = Trainer.Config.model_validate({"exports": ["onnx", "litert", "onnx"]})
    assert config == Trainer.Config(exports=("litert", "onnx"))


def test_onnx_that_is_asked_for_and_not_installed_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = Trainer(Trainer.Config.model_validate({"exports": ["onnx"]}))
    trainer.preflight()
    monkeypatch.setattr(onnx_file, "PACKAGES", ("onnx", "no_such_converter"))
    with pytest.raises(ConfigError, match="not installed: no_such_converter") as error:
        trainer.preflight()
    assert "make extras" in error.value.remedy
    Trainer().preflight()


def test_only_who_asks_for_onnx_depends_on_its_converter() -> None:
    assert not {"tf2onnx", "onnx"} & set(Trainer().libraries)
    assert {"tf2onnx", "onnx", "onnxruntime"} < set(Trainer(Trainer.Config(exports=("onnx",))).libraries)


def test_the_trainer_states_what_it_exported(tmp_path: Path, inputs: Inputs) -> None:
    network = {"filters": [4, 4, 4], "dense": [8, 8]}
    config = Trainer.Config.model_validate({"network": network, "epochs": 1, "exports": []})
    model = Trainer(config).run(Context(output=tmp_path, progress=NoProgress()), transformed=inputs.transformed)
    assert [each.format for each in model.exports] == ["keras", "saved_model"]
    assert model.saved_model == "saved_model"
    assert set(model.file_names()) == {"model.keras", "saved_model", "history.csv"}
    assert {path.name for path in tmp_path.iterdir()} == set(model.file_names())

"""Infra validation: the SavedModel in a separate process agrees with the model, or the result says why not."""

import errno
import shutil
import tempfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from components import Context, Evaluator, Model, Stored, TransformedExamples
from components.artifacts import InfraValidation
from components.base.errors import ConfigError, ResourceError, TerminationError
from components.evaluator import c_library, serving_process
from components.evaluator.infra_validation import serve_model
from components.inference.predictor import load_predictor
from components.inference.split_images import read_raw, read_scaled
from components.testing.contract import make_inputs
from job.signals import Signals
from tests.support.data import WarningRecorder
from tests.support.processes import wait_until

Made = tuple[Stored[Model], Stored[TransformedExamples]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return an untrained network, exported as the Trainer exports it, and images for it."""
    from components.trainer.export.export import REQUIRED_FORMATS, export_model
    from components.trainer.export.serving_model import ExampleImages, ServingModel
    from components.trainer.network import NetworkConfig, build_network

    directory = tmp_path_factory.mktemp("model") / "runs [1]*"  # TensorFlow expands such characters
    directory.mkdir()
    inputs = make_inputs(tmp_path_factory.mktemp("inputs"))
    transformed: Stored[TransformedExamples] = inputs[TransformedExamples]
    stated = transformed.artifact
    config = NetworkConfig(filters=(4, 4, 4), dense=(8, 8))
    network = build_network(config, image_shape=stated.image_shape, classes=len(stated.class_names), seed=0)
    raw = read_raw(transformed, stated.splits.validation, slice(None))
    images = ExampleImages(check=raw, calibration=lambda: [raw])
    exports = export_model(
        ServingModel.from_network(network, stated.graph), REQUIRED_FORMATS, images, Context(output=directory)
    )
    model = inputs[Model].artifact.model_copy(update={"format": "keras", "file": "model.keras", "exports": exports})
    return Stored(model, directory), transformed


@pytest.fixture(scope="module")
def placeholder(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a linear model whose SavedModel cannot be loaded, for a process that ends before it loads one."""
    inputs = make_inputs(tmp_path_factory.mktemp("inputs"), saved_model=True)
    return inputs[Model], inputs[TransformedExamples]


def validate(made: Made, context: Context, *, error: float = 0.0) -> InfraValidation:
    model, transformed = made
    images = np.asarray(read_scaled(transformed, transformed.artifact.splits.test).images[:6])
    with serve_model(model, transformed, 5, context) as served:
        assert served is not None
        return served.validate(load_predictor(model)(images) + np.float32(error))


@pytest.mark.thorough  # every run of the digits tests it, too
def test_the_saved_model_agrees_with_the_model_in_memory(made: Made, tmp_path: Path) -> None:
    context = Context(output=tmp_path)
    found = validate(made, context)
    assert found.failure == ""
    assert found.largest_difference is not None
    assert found.largest_difference <= found.tolerance == 1e-5
    assert found.images == 5
    assert found.size > 10_000
    assert context.observations["latency_ms"] > 0
    assert context.observations["images_per_second"] > 0


@pytest.mark.thorough
def test_reports_a_difference_to_the_model_in_memory(made: Made, tmp_path: Path) -> None:
    found = validate(made, Context(output=tmp_path), error=1e-3)
    assert found.largest_difference == pytest.approx(1e-3, rel=0.05)


@pytest.mark.thorough
def test_a_broken_saved_model_is_reported_with_the_reason(made: Made, tmp_path: Path) -> None:
    model, transformed = made
    shutil.copytree(model.directory, tmp_path / "broken")
    (tmp_path / "broken" / "saved_model" / "saved_model.pb").write_bytes(b"not a model")
    progress = WarningRecorder()
    context = Context(output=tmp_path, progress=progress)
    found = validate((Stored(model.artifact, tmp_path / "broken"), transformed), context)
    assert found.largest_difference is None
    assert found.failure == "it ended with RuntimeError", "no folder of this machine is in it"
    assert len(progress.warnings) == 1
    assert "TensorFlow cannot load the SavedModel: " in progress.warnings[0]
    assert not context.observations


@pytest.mark.thorough
def test_the_process_imports_neither_keras_nor_this_package(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = '("components", "keras", "tensorflow.python")'
    line = f"assert not any(name.startswith({names}) for name in sys.modules)"
    serve_with(line, tmp_path, monkeypatch, before="    np.savez")
    assert validate(made, Context(output=tmp_path)).failure == ""


@pytest.mark.thorough
def test_requests_begin_when_the_job_validates(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, they would take the processors from the predictions, and their times would be too long."""
    loaded, validating = tmp_path / "loaded", tmp_path / "validating"
    serve_with(f"open({str(loaded)!r}, 'w').close()", tmp_path, monkeypatch, before="    def request(")
    serve_with(f"    assert os.path.exists({str(validating)!r})", tmp_path, monkeypatch, before="        start = ")
    model, transformed = made
    images = np.asarray(read_scaled(transformed, transformed.artifact.splits.test).images[:1])
    expected = load_predictor(model)(images)
    with serve_model(model, transformed, 1, Context(output=tmp_path)) as served:
        assert served is not None
        wait_until(loaded.exists, lambda: "the model is not loaded", seconds=60)
        validating.touch()
        assert served.validate(expected).failure == ""


def test_tensorflow_without_a_c_library_is_a_config_error(
    placeholder: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run must not end with a model that is not blessed because of it."""
    monkeypatch.setattr(c_library, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="but tensorflow has no libtensorflow_cc"):
        validate(placeholder, Context(output=tmp_path))
    install(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match=f"but {tmp_path} has no libtensorflow_cc"):
        validate(placeholder, Context(output=tmp_path))
    with pytest.raises(ConfigError, match=f"but {tmp_path} has no libtensorflow_cc"):
        Evaluator(Evaluator.Config()).preflight()
    Evaluator(Evaluator.Config.model_validate({"infra_validation": {"images": 0}})).preflight()


def test_missing_folder_for_temporary_files_is_a_config_error(
    placeholder: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gettempdir() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", gettempdir)
    with pytest.raises(ConfigError, match="needs a folder for temporary files"):
        validate(placeholder, Context(output=tmp_path))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the job find the package TensorFlow in a folder."""
    spec = ModuleSpec("tensorflow", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(c_library, "find_spec", lambda _: spec)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"not a library", "pass", "OSError: "),
        (Path(np.random.mtrand.__file__).read_bytes(), "pass", "AttributeError: .*TF_NewStatus"),
        (b"", "sys.modules['google.protobuf'] = None", "ModuleNotFoundError: .*google.protobuf"),
    ],
    ids=["library", "functions", "messages"],
)
def test_an_unusable_c_library_is_a_config_error(
    placeholder: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, line: str, problem: str
) -> None:
    install(tmp_path, monkeypatch)
    (tmp_path / "libtensorflow_cc.so.2").write_bytes(content)
    serve_with(line, tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match=f"unusable: {problem}") as caught:
        validate(placeholder, Context(output=tmp_path))
    assert "install" in caught.value.remedy


def test_a_killed_process_is_a_resource_error(
    placeholder: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with("os.kill(os.getpid(), 9)", tmp_path, monkeypatch)
    with pytest.raises(ResourceError, match="ended with -9"):
        validate(placeholder, Context(output=tmp_path))


def serve_with(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, before: str = "    images = ") -> None:
    """Insert a line into the serving process, by default before it loads TensorFlow."""
    source = Path(serving_process.__file__).read_text()
    changed = source.replace(before, f"    {line}\n{before}")
    assert changed != source
    script = folder / "serving_process.py"
    script.write_text(changed)
    monkeypatch.setattr(serving_process, "__file__", str(script))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("OSError(28, os.strerror(28))", "No space left on device"),
        ("OSError('libtensorflow_cc.so.2: failed to map segment from shared object')", "failed to map segment"),
        ("RuntimeError('TensorFlow cannot predict: CUDA_ERROR_OUT_OF_MEMORY: out of memory')", "OUT_OF_MEMORY"),
    ],
    ids=["disk", "memory", "gpu"],
)
def test_lack_of_disk_or_memory_is_a_resource_error(
    placeholder: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, message: str
) -> None:
    serve_with(f"raise {error}", tmp_path, monkeypatch)
    with pytest.raises(ResourceError, match=message) as caught:
        validate(placeholder, Context(output=tmp_path))
    assert "memory, disk space or time" in caught.value.remedy


def test_signal_to_all_processes_is_a_termination(
    placeholder: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `timeout`, systemd and Slurm send it: not a lack of memory."""
    serve_with("os.kill(os.getppid(), 15); os.kill(os.getpid(), 15); time.sleep(60)", tmp_path, monkeypatch)
    signals = Signals()
    with signals.installed(), pytest.raises(TerminationError):
        validate(placeholder, Context(output=tmp_path, termination=signals))

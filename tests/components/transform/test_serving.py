"""A model behind every operation of the transform: exports, evaluation and predictions take raw images in color."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context, Evaluator, Model, Stored, Trainer, Transform, TransformedExamples, Visualizer
from components.artifacts import Artifact
from components.inference.predictor import load_predictor, load_raw_predictor
from components.inference.split_images import read_raw, read_scaled
from components.testing import FakeExampleGen

SCRIPT = """
import sys, numpy, keras
model = keras.models.load_model(sys.argv[1], safe_mode=True)
numpy.save("probabilities.npy", model.predict(numpy.load("raw.npy"), verbose=0))
"""


def local_contrast(pictures: Any, ops: Any) -> Any:
    return ops.clip(2.0 * (pictures - ops.mean(pictures, axis=(1, 2), keepdims=True)), -1.0, 1.0)


@pytest.mark.thorough
def test_models_with_all_operations_take_raw_images(tmp_path: Path) -> None:
    def run(component: Any, **inputs: Stored[Any]) -> Stored[Any]:
        output = tmp_path / type(component).__name__
        output.mkdir()
        made: Artifact = component.run(Context(output=output), **inputs)
        return Stored(made, output)

    operations = [{"kind": "resize", "size": [20, 18]}, {"kind": "standardize"}, local_contrast]
    network = {"filters": [4, 4, 4], "dense": [8, 8], "dropout": 0.5}
    trained = {"network": network, "epochs": 4, "batch_size": 16, "test_time_shift": 1}
    trained["exports"] = ["litert", "litert_int8", "onnx"]
    examples = run(FakeExampleGen(FakeExampleGen.Config(channels=3)))
    transformed: Stored[TransformedExamples] = run(
        Transform(Transform.Config(operations=operations)), examples=examples
    )
    model: Stored[Model] = run(Trainer(Trainer.Config.model_validate(trained)), transformed=transformed)
    evaluation = run(Evaluator(), transformed=transformed, model=model)
    figures = run(Visualizer(), examples=examples, transformed=transformed, model=model, evaluation=evaluation)

    test = transformed.artifact.splits.test
    raw = read_raw(transformed, test, slice(None))
    expected = load_predictor(model)(np.asarray(read_scaled(transformed, test).images))
    assert np.ptp(expected, axis=0).max() > 0.05, "the predictions depend on the images"
    assert model.artifact.image_shape == (16, 16, 3)
    exports = [export.format for export in model.artifact.exports]
    assert exports == ["keras", "saved_model", "litert", "litert_int8", "onnx"]
    served = load_raw_predictor(model, transformed.artifact.graph)(raw)
    np.testing.assert_allclose(served, expected, atol=1e-5)
    assert evaluation.artifact.infra_validation.largest_difference <= 1e-5
    assert evaluation.artifact.quantized.file == "model_int8.tflite"
    assert evaluation.artifact.test_sha256 == transformed.artifact.test_sha256
    clean = evaluation.artifact.robustness.clean_accuracy
    assert clean == pytest.approx(evaluation.artifact.metrics.accuracy), "all test images, uncorrupted"
    assert 'class="color"' in (figures.directory / "report.html").read_text()

    np.save(tmp_path / "raw.npy", raw)  # the file needs no code of this module or of the project
    command = [sys.executable, "-I", "-W", "error", "-c", SCRIPT, str(model.directory / model.artifact.file)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy"), expected, atol=1e-5)

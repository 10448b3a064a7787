"""The export with 8-bit integers predicts the test images; its accuracy and agreement are in the evaluation."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from components import Context, Evaluator, Model, Stored, TransformedExamples
from components.base.errors import TerminationError
from components.base.termination import NoTermination
from components.evaluator.predictions import predict_split
from components.evaluator.quantized import evaluate_quantized
from components.inference.litert import open_litert
from components.inference.predictor import load_predictor
from components.inference.split_images import read_raw
from components.testing.contract import make_inputs
from components.trainer.export.export import export_model, read_example_images
from components.trainer.export.serving_model import ServingModel
from components.trainer.network import NetworkConfig

Made = tuple[Stored[Model], Stored[TransformedExamples]]


class Terminated(NoTermination):
    def check(self) -> None:
        raise TerminationError("stop")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a linear model with the int8 export of an untrained network, whose predictions are others."""
    inputs = make_inputs(tmp_path_factory.mktemp("inputs"))
    transformed: Stored[TransformedExamples] = inputs[TransformedExamples]
    model: Stored[Model] = inputs[Model]
    stated = transformed.artifact
    config = NetworkConfig(filters=(4, 4, 4), dense=())
    network = config.build(image_shape=stated.image_shape, classes=len(stated.class_names), seed=0)
    serving_model = ServingModel.from_network(network, stated.graph)
    images = read_example_images(transformed)
    exports = export_model(serving_model, ["litert_int8"], images, Context(output=model.directory))
    return Stored(model.artifact.model_copy(update={"exports": exports}), model.directory), transformed


@pytest.mark.thorough
def test_evaluation_has_accuracy_of_int8_export(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.evaluator.quantized.BATCH_SIZE", 7)  # several batches, of two sizes
    model, transformed = made
    (export,) = model.artifact.exports
    context = Context(output=tmp_path)
    evaluation = Evaluator().run(context, transformed=transformed, model=model)
    test = transformed.artifact.splits.test
    assert test.count % 7
    classes = open_litert(model.directory / export.file)(images=read_raw(transformed, test, slice(None)))["label"]
    predictions = predict_split(load_predictor(model), transformed, test, context)
    found = evaluation.quantized
    assert found is not None
    assert found.file == "model_int8.tflite"
    assert found.accuracy == (classes == predictions.labels).mean()
    assert found.same_class == (classes == predictions.classes).mean()
    assert json.loads((tmp_path / "metrics.json").read_text())["quantized"] == found.model_dump()
    mislabelled = dataclasses.replace(predictions, labels=np.roll(predictions.labels, 1))
    other = evaluate_quantized(model.directory / export.file, transformed, mislabelled, context)
    assert other.accuracy == (classes == mislabelled.labels).mean() != found.accuracy
    assert other.same_class == found.same_class
    terminated = Context(output=tmp_path, termination=Terminated())
    with pytest.raises(TerminationError):
        evaluate_quantized(model.directory / export.file, transformed, predictions, terminated)


def test_model_without_int8_export_has_no_such_accuracy(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path / "inputs")
    context = Context(output=tmp_path)
    evaluation = Evaluator().run(context, transformed=inputs[TransformedExamples], model=inputs[Model])
    assert evaluation.quantized is None
    assert "quantized" not in json.loads((tmp_path / "metrics.json").read_text())

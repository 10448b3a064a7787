"""Evaluator: scores a model on the test split and decides whether it is blessed."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from components.artifacts import Artifact, Evaluation, Model, PairedComparison, Stored, TransformedExamples
from components.base.component import Component, Context
from components.base.errors import DataError
from components.evaluator.c_library import c_library
from components.evaluator.config import EvaluatorConfig


class Evaluator(Component[EvaluatorConfig]):
    """Scores the test split and compares the results with the thresholds.

    >>> Evaluator(EvaluatorConfig(baseline="latest-blessed")).references()
    {'baseline': 'latest-blessed'}
    """

    Config = EvaluatorConfig
    libraries = ("tensorflow", "keras", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn")

    def identity(self) -> dict[str, Any]:
        return self.config.content(exclude={"baseline"})

    def references(self) -> dict[str, str]:
        return {} if self.config.baseline is None else {"baseline": self.config.baseline}

    def mismatch(self, name: str, candidate: Artifact, inputs: Mapping[str, Artifact]) -> str:  # noqa: ARG002
        match candidate, inputs["transformed"]:
            case Evaluation(test_sha256=scored), TransformedExamples(test_sha256=here) if scored == here:
                return ""
        return "on other test images"

    def preflight(self) -> None:
        # Another Trainer may need no TensorFlow.
        if self.config.infra_validation.images and find_spec("tensorflow"):
            c_library()

    def run(
        self,
        context: Context,
        /,
        *,
        transformed: Stored[TransformedExamples],
        model: Stored[Model],
        baseline: Stored[Evaluation] | None = None,
    ) -> Evaluation:
        """Write `metrics.json`, and `predictions.parquet` with one row per test image.

        Raises:
            DataError: if the model was trained for other images or classes, or the baseline scored on other images.
            ConfigError: if a threshold names a class or slice that does not exist, or TensorFlow has no usable C
                library.
        """
        with context.timed("imports"):
            from components.evaluator.baseline import compare
            from components.evaluator.calibration import calibrate_predictions
            from components.evaluator.evaluation import make_evaluation, write_evaluation
            from components.evaluator.image_properties import measure_batches
            from components.evaluator.infra_validation import serve_model
            from components.evaluator.metrics import apply_functions
            from components.evaluator.predictions import predict_split
            from components.evaluator.quantized import evaluate_quantized
            from components.evaluator.robustness import measure_robustness
            from components.evaluator.slices import group_images, make_slices
            from components.inference.predictor import import_libraries, load_predictor
            from components.inference.split_images import open_pictures
            from components.inference.transform_graph import apply_numpy, input_graph

        check_compatible(transformed.artifact, model.artifact)
        config, splits, names = self.config, transformed.artifact.splits, transformed.artifact.class_names
        comparison = infra = quantized = None
        with serve_model(model, transformed, config.infra_validation.images, context) as served:
            with context.timed("imports"):
                import_libraries(model)
            with context.timed("loading"):
                predict = load_predictor(model)
            with context.timed("predicting"):
                predictions = predict_split(predict, transformed, splits.test, context)
                validation = predict_split(predict, transformed, splits.validation, context)
            if baseline is not None:
                comparison = compare(predictions, baseline, significance=config.significance, functions=config.metrics)
            context.termination.check()
            if model.artifact.quantized is not None:
                export = model.directory / model.artifact.quantized
                with context.timed("quantized export"):
                    quantized = evaluate_quantized(export, transformed, predictions, context)
            uncalibrated = predictions.probabilities
            with context.timed("scoring"):
                predictions, calibration = calibrate_predictions(
                    predictions, validation, apply=config.temperature_scaling
                )
                further = apply_functions(config.metrics, predictions.labels, predictions.probabilities, context)
            pictures, to_input = open_pictures(transformed, splits.test), input_graph(transformed.artifact.graph)
            with context.timed("slicing"):
                properties = measure_batches(pictures.batches(1000))
                properties |= group_images(config.slices, pictures.batches(1000), predictions.labels)
                slices = make_slices(predictions.labels, predictions.classes, names, properties)
            with context.timed("robustness"):
                robustness = measure_robustness(
                    lambda images: predict(apply_numpy(to_input, images)),
                    pictures,
                    config.robustness,
                    images_predicted=splits.test.count + splits.validation.count,
                    check=context.termination.check,
                )
            if served is not None:
                with context.timed("infra validation"):
                    infra = served.validate(uncalibrated)
        with context.timed("scoring"):
            evaluation = make_evaluation(
                predictions,
                names,
                config,
                weights_sha256=model.artifact.weights_sha256,
                custom_metrics=further,
                calibration=calibration,
                slices=slices,
                robustness=robustness,
                infra_validation=infra,
                quantized=quantized,
                baseline=comparison,
            )
        with context.timed("writing"):
            write_evaluation(evaluation, predictions, context.output)
        return evaluation

    @staticmethod
    def compare(first: Stored[Evaluation], second: Stored[Evaluation]) -> PairedComparison:
        """Compare two evaluations on the same test images, image by image.

        Raises:
            DataError: if their test images differ.
        """
        from components.evaluator.comparison import compare_evaluations

        return compare_evaluations(first, second)


def check_compatible(transformed: TransformedExamples, model: Model) -> None:
    """Raise DataError if the model was trained for images of another shape or for other classes."""
    for name, here, there in (
        ("images", transformed.picture_shape, model.image_shape),
        ("classes", transformed.class_names, model.class_names),
    ):
        if here != there:
            raise DataError(
                f"the model was made for {name} {there}, but the test split has {here}",
                expected=f"a model and a test split with the same {name}",
                remedy="train on the examples that the model is scored on",
            )

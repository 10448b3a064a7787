"""Evaluator: scores a model on the test split, once, and blesses it or says why not."""

from __future__ import annotations

import json

from components.artifacts import Evaluation, Model, Statement, Stored, TransformedExamples
from components.component import Component, ComponentConfig, Context
from components.errors import DataError
from components.evaluation.blessing import MetricName, Threshold, bless

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"


class EvaluatorConfig(ComponentConfig):
    """What a model must reach."""

    thresholds: dict[MetricName, Threshold] = {"accuracy": Threshold(minimum=0.9)}
    """Bounds by metric; the model is blessed if all are met."""


class Evaluator(Component[EvaluatorConfig]):
    """Scores the test split and holds the metrics against the thresholds."""

    Config = EvaluatorConfig
    libraries = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn")

    def run(
        self, context: Context, /, *, transformed: Stored[TransformedExamples], model: Stored[Model]
    ) -> Evaluation:
        """Write `metrics.json`, and `predictions.parquet` with one row a test image.

        Raises:
            DataError: if the model was made for images or classes of another kind.
        """
        from components.evaluation.metrics import score
        from components.formats import read_scaled, write_predictions
        from components.predictor import load_predictor

        check_fit(transformed.artifact, model.artifact)
        test = read_scaled(transformed, transformed.artifact.splits.test)
        probabilities = load_predictor(model)(test.images)
        scores = score(test.labels, probabilities, transformed.artifact.class_names)
        blessing = bless(scores.metrics, self.config.thresholds)
        write_predictions(test.labels, probabilities, context.output / PREDICTIONS_FILE)
        parts: dict[str, Statement] = {"metrics": scores.metrics, "blessing": blessing}
        summary = {name: part.model_dump(mode="json") for name, part in parts.items()}
        summary["per_class"] = {row.name: row.model_dump(mode="json") for row in scores.per_class}
        (context.output / METRICS_FILE).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        return Evaluation(
            metrics=scores.metrics,
            per_class=scores.per_class,
            confusion_matrix=scores.confusion_matrix,
            predictions_file=PREDICTIONS_FILE,
            metrics_file=METRICS_FILE,
            blessing=blessing,
        )


def check_fit(transformed: TransformedExamples, model: Model) -> None:
    """Raise DataError if the model was made for other images or classes than these."""
    for what, here, there in (
        ("images", transformed.image_shape, model.image_shape),
        ("classes", transformed.class_names, model.class_names),
    ):
        if here != there:
            raise DataError(
                f"the model was made for {what} {there}, but the test split has {here}",
                expected=f"a model and a test split with the same {what}",
                remedy="train on the examples that the model is to be scored on",
            )

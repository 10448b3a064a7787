"""Evaluator: scores a model on the test split, once, and blesses it or says why not."""

from __future__ import annotations

from pydantic import Field

from components.artifacts import Evaluation, Model, Stored, TransformedExamples
from components.component import Component, ComponentConfig, Context
from components.errors import DataError
from components.evaluation.blessing import MetricName, Threshold, bless


class EvaluatorConfig(ComponentConfig):
    """What a model must reach."""

    thresholds: dict[MetricName, Threshold] = Field(default={"accuracy": Threshold(minimum=0.9)})
    """Bounds by metric; the model is blessed if all are met."""


class Evaluator(Component[EvaluatorConfig]):
    """Scores the test split and holds the metrics against the thresholds."""

    Config = EvaluatorConfig
    libraries = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn")

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples], model: Stored[Model]) -> Evaluation:
        """Write `metrics.json`, and `predictions.parquet` with one row a test image.

        Raises:
            DataError: if the model was made for images or classes of another kind.
        """
        with context.timed("imports"):
            from components.evaluation.answers import ask
            from components.evaluation.metrics import score
            from components.evaluation.writing import Findings, write_evaluation
            from components.models.predictor import import_libraries, load_predictor

            import_libraries(model)
        check_fit(transformed.artifact, model.artifact)
        with context.timed("loading"):
            predict = load_predictor(model)
        with context.timed("predicting"):
            answers = ask(predict, transformed, transformed.artifact.splits.test, context)
        context.termination.check()
        with context.timed("scoring"):
            scores = score(answers.labels, answers.probabilities, transformed.artifact.class_names)
            blessing = bless(scores.metrics, self.config.thresholds)
        with context.timed("writing"):
            return write_evaluation(
                answers,
                scores,
                blessing,
                Findings(),
                weights_sha256=model.artifact.weights_sha256,
                output=context.output,
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

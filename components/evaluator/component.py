"""Evaluator: scores a model on the test split, once, and blesses it or says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.artifacts import Evaluation, Model, Stored, TransformedExamples
from components.base.component import Component, Context
from components.base.errors import DataError
from components.evaluator.config import EvaluatorConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.artifacts import Check
    from components.evaluator.findings import Findings
    from components.evaluator.metrics import Scores


class Evaluator(Component[EvaluatorConfig]):
    """Scores the test split and holds what it finds against the thresholds."""

    Config = EvaluatorConfig
    libraries = ("tensorflow", "keras", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn")

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"baseline"})

    def references(self) -> dict[str, str]:
        return {} if self.config.baseline is None else {"baseline": self.config.baseline}

    def run(
        self,
        context: Context,
        /,
        *,
        transformed: Stored[TransformedExamples],
        model: Stored[Model],
        baseline: Stored[Evaluation] | None = None,
    ) -> Evaluation:
        """Write `metrics.json`, and `predictions.parquet` with one row a test image.

        Raises:
            DataError: if the model was made for images or classes of another kind, or the baseline was scored on
                other test images.
            ConfigError: if a threshold names a class or a slice that there is not.
        """
        with context.timed("imports"):
            from dataclasses import replace

            from components.evaluator.baseline import compare
            from components.evaluator.blessing import bless
            from components.evaluator.findings import Findings, slice_answers, spoil_images
            from components.evaluator.infra_validation import validate_infra
            from components.evaluator.metrics import score
            from components.evaluator.predictions import ask
            from components.evaluator.temperature import calibrate, fit_temperature
            from components.evaluator.write import write_evaluation
            from components.inference.predictor import import_libraries, load_predictor
            from components.inference.probabilities import apply_temperature
            from components.io.splits import read_scaled

            import_libraries(model)
        check_fit(transformed.artifact, model.artifact)
        config, stated = self.config, transformed.artifact
        with context.timed("loading"):
            predict = load_predictor(model)
        with context.timed("predicting"):
            answers = ask(predict, transformed, stated.splits.test, context)
            held_out = ask(predict, transformed, stated.splits.validation, context)
        compared = None if baseline is None else compare(answers, baseline, significance=config.significance)
        infra = None
        if model.artifact.saved_model is not None and config.infra_validation.images:
            with context.timed("infra validation"):
                some = read_scaled(transformed, stated.splits.test).images[: config.infra_validation.images]
                infra = validate_infra(model, transformed, some, answers.probabilities[: len(some)], context)
        context.termination.check()
        with context.timed("scoring"):
            temperature = fit_temperature(held_out.labels, held_out.probabilities)
            scaling = config.temperature_scaling
            calibration = calibrate(answers.labels, answers.probabilities, temperature=temperature, applied=scaling)
            if scaling:
                answers = replace(answers, probabilities=apply_temperature(answers.probabilities, temperature))
            scores = score(answers.labels, answers.probabilities, stated.class_names)
        with context.timed("slicing"):
            slices = slice_answers(answers, transformed)
        with context.timed("robustness"):
            robustness = spoil_images(predict, transformed, config.robustness, context)
        findings = Findings(
            calibration=calibration, slices=slices, robustness=robustness, infra_validation=infra, baseline=compared
        )
        with context.timed("writing"):
            return write_evaluation(
                answers,
                scores,
                bless(*self._checks(scores, findings)),
                findings,
                weights_sha256=model.artifact.weights_sha256,
                output=context.output,
            )

    def _checks(self, scores: Scores, findings: Findings) -> Iterator[Check]:
        from components.evaluator.blessing import (
            check_changes,
            check_classes,
            check_infra,
            check_metrics,
            check_slices,
        )

        config = self.config
        if findings.infra_validation is not None:
            yield check_infra(findings.infra_validation)
        yield from check_metrics(scores.metrics, config.thresholds)
        yield from check_classes(scores.per_class, config.class_thresholds)
        yield from check_slices(findings.slices, config.slice_thresholds)
        if findings.baseline is not None:
            yield from check_changes(scores.metrics, findings.baseline, config.change_thresholds)


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

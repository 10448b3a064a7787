"""Statements: what the artifacts of a run state, for the report, the model card and custom figures."""

from dataclasses import dataclass

from components.artifacts import Evaluation, Examples, Model, TransformedExamples


@dataclass(frozen=True, kw_only=True)
class Statements:
    """The statements of the artifacts of a run, as their manifests hold them."""

    examples: Examples
    transformed: TransformedExamples
    model: Model
    evaluation: Evaluation

    @property
    def model_kind(self) -> str:
        return "network" if self.model.format == "keras" else "linear model"

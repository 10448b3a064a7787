"""ReportData: everything that the report and the model card are rendered from."""

from dataclasses import dataclass

from markupsafe import Markup

from components.artifacts import Evaluation, Examples, Model, TransformedExamples
from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps


@dataclass(frozen=True)
class EmbeddedSection:
    """A section of the report with its own style and script, which are inserted into the page unchanged."""

    html: Markup
    css: str
    script: str


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


@dataclass(frozen=True, kw_only=True)
class ReportData(Statements):
    """The statements of a run, and the test images that the report shows."""

    mistakes: ConfidentMistakes
    feature_maps: FeatureMaps | None = None
    """None if the model has no convolution."""
    sketchpad: EmbeddedSection | None = None
    """If the page cannot run the model, the section has only the reason."""

"""ReportData: everything that the report and the model card are rendered from."""

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from components.artifacts import Figure
from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.statements import Statements
from components.visualizer.training_images import AugmentedImage, TrainingImages


@dataclass(frozen=True)
class EmbeddedSection:
    """A section of the report with its own style and script, which are inserted into the page unchanged."""

    html: Markup
    css: str
    script: str


@dataclass(frozen=True)
class EmbeddedFigure:
    """A custom figure in the report."""

    figure: Figure
    picture: str
    """The PNG file as a data URI."""


@dataclass(frozen=True, kw_only=True)
class ReportData(Statements):
    """The statements of a run, and the test images that the report shows."""

    mistakes: ConfidentMistakes
    training_images: TrainingImages
    augmented: tuple[AugmentedImage, ...] = ()
    """Empty without augmentation."""
    steps: pd.DataFrame | None = None
    """Loss and accuracy of each group of training steps (`Model.steps_file`); None if they were not recorded."""
    kernels: NetworkKernels | None = None
    """None if they cannot be shown as images."""
    feature_maps: FeatureMaps | None = None
    """None if the model has no convolution."""
    sketchpad: EmbeddedSection | None = None
    """If the page cannot run the model, the section has only the reason."""
    custom_figures: tuple[EmbeddedFigure, ...] = ()

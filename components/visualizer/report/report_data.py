"""What the report tells, before it is put into words: the statements of a run, and the images that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import Evaluation, Examples, Model, TransformedExamples


@dataclass(frozen=True)
class TestImage:
    """One image of the test split."""

    __test__ = False  # it is no test of pytest's

    row: int
    label: int
    image: NDArray[np.float32]
    """Scaled, [height, width, channels]."""


@dataclass(frozen=True)
class Mistake(TestImage):
    """A test image that was taken for something else."""

    prediction: int
    confidence: float


@dataclass(frozen=True)
class Response:
    """What one convolution gives."""

    layer: str
    maps: NDArray[np.float32]
    """[images, height, width, filters]."""


class EmbeddedSection(Protocol):
    """A section that brings its own look and code: markup, style and script that are put into the page as they are."""

    @property
    def html(self) -> str: ...

    @property
    def css(self) -> str: ...

    @property
    def script(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Statements:
    """What the artifacts of a run state about themselves, as their manifests have it."""

    examples: Examples
    transformed: TransformedExamples
    model: Model
    evaluation: Evaluation

    @property
    def kind_of_model(self) -> str:
        """What kind of classifier it is, in words."""
        return "network" if self.model.format == "keras" else "linear model"

    @property
    def mistaken(self) -> int:
        """Test images that were not read right."""
        matrix = self.evaluation.confusion_matrix
        return self.evaluation.metrics.count - sum(row[label] for label, row in enumerate(matrix))


@dataclass(frozen=True, kw_only=True)
class ReportData(Statements):
    """All that the page is made of."""

    mistakes: tuple[Mistake, ...]
    """The surest first."""
    chosen: tuple[TestImage, ...] = ()
    """The images whose feature maps are shown."""
    responses: tuple[Response, ...] = ()
    """Of every convolution, to the chosen images."""
    pad: EmbeddedSection | None = None
    """The pad to draw on, where the network can run in the page."""

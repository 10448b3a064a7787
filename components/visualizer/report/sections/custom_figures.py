"""Custom figures: one section each."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from components.artifacts import Figure
from components.html.inline_images import figure_picture
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import EmbeddedFigure, ReportData

MAX_BYTES, MAX_FIGURE_BYTES = 1_200_000, 150_000
"""Of all figures, and of one. In the report, large figures have fewer colors and pixels."""


def embed_figures(figures: Sequence[Figure], directory: Path) -> tuple[EmbeddedFigure, ...]:
    """Return the figures with their files in a directory."""
    max_bytes = min(MAX_FIGURE_BYTES, MAX_BYTES // max(1, len(figures)))
    return tuple(EmbeddedFigure(each, figure_picture(directory / each.file, max_bytes=max_bytes)) for each in figures)


def render_custom_figures(report: ReportData) -> Iterator[tuple[str, str, Markup]]:
    """Yield the id, the title and the section of each figure."""
    for each in report.custom_figures:
        figure_id = f"figure-{each.figure.name}"
        section = render_section("custom_figure", id=figure_id, figure=each.figure, picture=each.picture)
        yield figure_id, each.figure.title, section

"""The most confident mistakes, as images."""

from __future__ import annotations

from markupsafe import Markup

from components.visualizer.format import percent
from components.visualizer.report.inline_images import grayscale_image
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_mistakes(report: ReportData) -> Markup:
    """Return the section."""
    mistakes = report.mistakes
    shown = f"the {len(mistakes.shown)} most confident of {mistakes.total:,} mistakes"
    if len(mistakes.shown) == mistakes.total:
        shown = f"all {mistakes.total:,} mistakes"
    return render_section(
        "mistakes",
        shown=shown,
        mistakes=[
            (mistake, grayscale_image(mistake.image[..., 0]), percent(mistake.confidence, 1))
            for mistake in mistakes.shown
        ],
    )

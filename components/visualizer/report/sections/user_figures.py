"""The figures of the user: one section each."""

from collections.abc import Iterator

from markupsafe import Markup

from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_user_figures(report: ReportData) -> Iterator[tuple[str, str, Markup]]:
    """Yield the id, the title and the section of each figure."""
    for each in report.user_figures:
        figure_id = f"figure-{each.figure.name}"
        section = render_section("user_figure", id=figure_id, figure=each.figure, picture=each.picture)
        yield figure_id, each.figure.title, section

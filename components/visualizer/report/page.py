"""The page: a story in, HTML out; the same story gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.artifacts.figures import REPORT_LINKS_PLACEHOLDER, REPORT_RUN_PLACEHOLDER
from components.visualizer.report.card_html import card_html
from components.visualizer.report.sections import (
    calibration,
    confusions,
    curves,
    data,
    maps,
    mistakes,
    verdict,
    weak_spots,
)

if TYPE_CHECKING:
    from components.visualizer.report.report_data import ReportData

HERE = Path(__file__).parent


def render_report(story: ReportData, card: str) -> str:
    """Return the report as one HTML document that refers to nothing outside of itself.

    Args:
        story: what it tells.
        card: the model card, as `render_card` gives it.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=story.examples.source.title,
        verdict=verdict.tell_verdict(story),
        curves=curves.tell_curves(story.model),
        confusions=confusions.tell_confusions(story.evaluation),
        mistakes=mistakes.tell_mistakes(story),
        maps=maps.tell_maps(story),
        pad=story.pad,
        calibration=calibration.tell_calibration(story.evaluation),
        weak_spots=weak_spots.tell_weak_spots(story.evaluation),
        data=data.tell_data(story.examples, story.transformed),
        card=card_html(card),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),  # noqa: S704  (ours)
        run_place=Markup(REPORT_RUN_PLACEHOLDER),  # noqa: S704
        run_links_place=Markup(REPORT_LINKS_PLACEHOLDER),  # noqa: S704
    )

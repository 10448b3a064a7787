"""The page: a story in, HTML out; the same story gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.reporting import RUN_LINKS_PLACE, RUN_PLACE
from components.reporting.sections.calibration import tell_calibration
from components.reporting.sections.confusions import tell_confusions
from components.reporting.sections.curves import tell_curves
from components.reporting.sections.data import tell_data
from components.reporting.sections.maps import tell_maps
from components.reporting.sections.mistakes import tell_mistakes
from components.reporting.sections.verdict import tell_verdict
from components.reporting.sections.weak_spots import tell_weak_spots

if TYPE_CHECKING:
    from components.reporting.story import Story

HERE = Path(__file__).parent


def render_page(story: Story) -> str:
    """Return the report as one HTML document that refers to nothing outside of itself."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=story.examples.source.title,
        verdict=tell_verdict(story),
        curves=tell_curves(story.model),
        confusions=tell_confusions(story.evaluation),
        mistakes=tell_mistakes(story),
        maps=tell_maps(story),
        pad=story.pad,
        calibration=tell_calibration(story.evaluation),
        weak_spots=tell_weak_spots(story.evaluation),
        data=tell_data(story.examples, story.transformed),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),  # noqa: S704  (ours)
        run_place=Markup(RUN_PLACE),  # noqa: S704
        run_links_place=Markup(RUN_LINKS_PLACE),  # noqa: S704
    )

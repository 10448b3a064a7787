"""The sections of the report: the text and charts of each, and one template for each."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.html.templates import render_html


def render_section(name: str, /, **values: Any) -> Markup:
    """Return the section whose template is `sections/<name>.html.j2`."""
    return render_html(Path(__file__).parent.parent, f"sections/{name}.html.j2", **values)

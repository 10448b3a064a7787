"""Jinja templates: loading them, with undefined variables as errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


@cache
def template_environment(folder: Path, finalize: Callable[[Any], str] | None = None) -> Environment:
    """Return an environment for the templates in a folder.

    Args:
        folder: that of the templates.
        finalize: converts each value to text; by default, values are escaped for HTML.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=finalize is None,  # noqa: S701
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_html(folder: Path, name: str, /, **values: Any) -> Markup:
    """Return a rendered HTML template."""
    return Markup(template_environment(folder).get_template(name).render(values))  # noqa: S704  (escaped by jinja2)

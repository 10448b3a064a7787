"""Jinja templates: loading them, with filters that format values, and with undefined variables as errors.

A page extends `layout.html.j2`; `macros.html.j2` has tables and charts.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.artifacts import raw_shape
from components.base.formatting import counted
from components.html.format import image_size, listed, percent, plain_number

SHARED = Path(__file__).parent


@cache
def template_environment(folder: Path, finalize: Callable[[Any], str] | None = None) -> Environment:
    """Return an environment for the templates in a folder, and for those that all pages share.

    `finalize` converts each value to text; by default, values are escaped for HTML.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, SHARED]),
        autoescape=finalize is None,  # noqa: S701
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (counted, image_size, listed, percent, plain_number, raw_shape):
        environment.filters[function.__name__] = function
    return environment


def render_html(folder: Path, name: str, /, **values: Any) -> Markup:
    return Markup(template_environment(folder).get_template(name).render(values))  # noqa: S704  (escaped by jinja2)

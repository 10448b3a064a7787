"""The style that all figures share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# The color-blind-safe palette of M. Okabe and K. Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
INK, FAINT = "#333333", "#BBBBBB"
HEADER_INCHES = 0.62
"""Height of the title and its note."""

RULES: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs on every machine
    "font.size": 10,
    "text.parse_math": False,  # a class name may contain a $
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.grid": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def style(changes: Mapping[str, Any] | None = None) -> Any:
    """Return a context manager that applies the shared style, with changes."""
    return mpl.rc_context({**RULES, **(changes or {})})


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, without pyplot's global state."""
    return Figure(figsize=(width, height), layout="constrained")


def add_title(figure: Figure, title: str, note: str) -> None:
    """Add a bold title and a note at the top, in a height of `HEADER_INCHES`."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.10 / height, title, va="top", fontsize=12, fontweight="bold")
    figure.text(0.012, 1 - 0.34 / height, note, va="top", fontsize=10)


def set_title(figure: Figure, title: str, note: str) -> None:
    """Add a title and a note, and lay out the rest of the figure below them."""
    add_title(figure, title, note)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - HEADER_INCHES / figure.get_figheight()))


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; the same figure gives the same bytes."""
    figure.savefig(path, dpi=150, metadata={"Software": None})

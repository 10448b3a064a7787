"""The look that all pictures share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

# The colour-blind-safe palette of M. Okabe and K. Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
INK, FAINT = "#333333", "#BBBBBB"
DPI = 150
HEADER = 0.62
"""Height of the title and its note, in inches."""

NO_TICKS: dict[str, Any] = {"xticks": (), "yticks": ()}
"""For axes that show a picture: laid out even where they are not seen, ticks would take most of the time."""

RULES: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 10,
    "text.parse_math": False,  # a class may be named a$b
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


def style() -> Any:
    """Return a context in which figures have the shared look; nothing outside it changes."""
    return mpl.rc_context(RULES)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, without pyplot's global state."""
    return Figure(figsize=(width, height), layout="constrained")


def set_title(figure: Figure, title: str, note: str) -> None:
    """Head the figure with a title in bold and a note below it, and keep what is drawn clear of both."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.10 / height, title, va="top", fontsize=12, fontweight="bold")
    figure.text(0.012, 1 - 0.34 / height, note, va="top", fontsize=10)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - HEADER / height))


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; the same figure is the same bytes."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def tick_every(classes: int, most: int = 30) -> int:
    """Return which classes get a label on an axis so that at most about `most` do: every 1st, 2nd, ..."""
    return max(1, -(-classes // most))

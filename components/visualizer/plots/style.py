"""The style that all figures share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# The colour-blind-safe palette of M. Okabe and K. Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
INK, FAINT = "#333333", "#BBBBBB"
DPI = 150
HEADER_INCHES = 0.62
"""Height of the title and its note."""

NO_TICKS: dict[str, Any] = {"xticks": (), "yticks": ()}
"""For axes of images: matplotlib lays out even invisible ticks, which would take most of the drawing time."""

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


def style() -> Any:
    """Return a context manager that applies the shared style."""
    return mpl.rc_context(RULES)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, without pyplot's global state."""
    return Figure(figsize=(width, height), layout="constrained")


def set_title(figure: Figure, title: str, note: str) -> None:
    """Add a bold title and a note at the top, and reserve the space that they take."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.10 / height, title, va="top", fontsize=12, fontweight="bold")
    figure.text(0.012, 1 - 0.34 / height, note, va="top", fontsize=10)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - HEADER_INCHES / height))


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; the same figure gives the same bytes."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def label_classes(
    set_ticks: Callable[..., object],
    names: Sequence[str],
    *,
    offset: float = 0,
    max_labels: int = 30,
    rotate: bool = False,
) -> None:
    """Call `set_xticks` or `set_yticks` to label every class, or every 2nd, 3rd, ... above `max_labels` classes.

    Class n is at n + `offset`. Names of more than three characters are rotated if `rotate` is set.
    """
    shown = range(0, len(names), max(1, -(-len(names) // max_labels)))
    rotation = 90 if rotate and max(map(len, names)) > 3 else 0
    set_ticks([label + offset for label in shown], [names[label] for label in shown], rotation=rotation)

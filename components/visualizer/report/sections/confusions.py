"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.visualizer.report.charts import Table
from components.visualizer.report.format import counted, percent
from components.visualizer.report.images import heat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.artifacts import Evaluation

MOST_CELLS = 26
"""Classes up to which the matrix is a table; beyond, it is a picture."""
MOST_LETTERS = 14
MOST_PAIRS = 8


@dataclass(frozen=True)
class Cell:
    """How many images of one class were taken for another."""

    count: int
    right: bool
    text: str
    weight: float
    """Of its colour: 1 for the most that are mistaken in one way; of no meaning where they are right."""


@dataclass(frozen=True)
class Confusions:
    """What the section shows."""

    told: str
    names: tuple[str, ...]
    longest: int
    """Letters of the longest name, as far as there is room for them."""
    rows: tuple[tuple[Cell, ...], ...]
    """Empty if there are too many classes for a table."""
    picture: str
    """Empty if there is a table."""
    pairs: Table
    per_class: Table


def tell_confusions(evaluation: Evaluation) -> Confusions:
    """Return the section; every evaluation has a matrix."""
    counts = np.array(evaluation.confusion_matrix)
    wrong = _wrong(evaluation)
    names = tuple(row.name for row in evaluation.per_class)
    small = len(names) <= MOST_CELLS
    return Confusions(
        told=tell_most_common(evaluation),
        names=names,
        longest=min(MOST_LETTERS, max(map(len, names))),
        rows=_cells(counts, wrong) if small else (),
        picture="" if small else heat(wrong),
        pairs=Table(("True class", "Taken for", "Images"), _pairs(evaluation)),
        per_class=per_class_table(evaluation),
    )


def tell_most_common(evaluation: Evaluation) -> str:
    """Return how many mistakes there are, the most common one, and the class that is recognized least."""
    pairs = _pairs(evaluation)
    if not pairs:
        return f"All {counted(evaluation.metrics.count, 'test image')} were read right."
    true, taken, times = pairs[0]
    often = f", {times} times" if times != "1" else ""
    weakest = min((row for row in evaluation.per_class if row.support), key=lambda row: row.recall)
    return (
        f"{counted(int(_wrong(evaluation).sum()), 'mistake')} in {counted(evaluation.metrics.count, 'test image')}. "
        f"Most often, {true} is taken for {taken}{often}; the class that is recognized least is {weakest.name}, of "
        f"which {percent(weakest.recall)} are."
    )


def per_class_table(evaluation: Evaluation) -> Table:
    """Return how well each class is told from the others."""
    return Table(
        ("Class", "Precision", "Recall", "F1", "Test images"),
        tuple(
            (row.name, percent(row.precision), percent(row.recall), percent(row.f1), f"{row.support:,}")
            for row in evaluation.per_class
        ),
    )


def _wrong(evaluation: Evaluation) -> NDArray[np.int64]:
    """Return the confusion matrix without its diagonal."""
    counts = np.array(evaluation.confusion_matrix)
    return np.where(np.eye(len(counts), dtype=bool), 0, counts)


def _pairs(evaluation: Evaluation) -> tuple[tuple[str, str, str], ...]:
    """Return the most common confusions: true class, what it was taken for, and how often."""
    wrong, names = _wrong(evaluation), [row.name for row in evaluation.per_class]
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    return tuple(
        (names[true], names[taken], f"{wrong[true, taken]:,}")
        for true, taken in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[true, taken]
    )


def _short(count: int) -> str:
    """Return a count as short as it can be: the cells are narrow."""
    return f"{count:,}" if count >= 10_000 else str(count)


def _cells(counts: NDArray[np.int64], wrong: NDArray[np.int64]) -> tuple[tuple[Cell, ...], ...]:
    most = max(1, int(wrong.max()))
    return tuple(
        tuple(
            Cell(int(count), true == taken, _short(count), round(int(count) / most, 3))
            for taken, count in enumerate(row)
        )
        for true, row in enumerate(counts)
    )

"""Labels of a source: class names and class indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from components.base.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def index_labels(
    labels: NDArray[Any], class_names: Sequence[str], describe: Callable[[int], str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names of the classes, and the index of each label's class.

    Args:
        labels: the numbers or names of classes, of all images.
        class_names: the name of the class with each number; if it is empty, each distinct label is a class.
        describe: returns the name of a row's image for messages, such as `row 7 of train.parquet`.

    Raises:
        DataError: if a label is neither a whole number from 0 nor text, or has no class.

    >>> import numpy as np
    >>> index_labels(np.array(["dog", "cat", "dog"]), (), str)
    (('cat', 'dog'), array([1, 0, 1]))
    >>> index_labels(np.array([5, 1]), (), str)
    (('1', '5'), array([1, 0]))
    """
    import numpy as np

    if labels.dtype == object and (other := [row for row, label in enumerate(labels) if not isinstance(label, str)]):
        raise _no_class(f"{describe(other[0])} has the label {labels[other[0]]!r}", "text, as the other labels")
    distinct, inverse = np.unique(labels, return_inverse=True)
    values = distinct.tolist()
    known: list[Any] = sorted(filter(is_label, values), key=class_order)
    if class_names:
        by_number = all(isinstance(value, int) for value in values)
        known = list(range(len(class_names)) if by_number else class_names)
    index_of = {value: index for index, value in enumerate(known)}
    for place, value in enumerate(values):
        if value not in index_of:
            shown = ", ".join(map(str, known[:3])) + (", ..." if len(known) > 3 else "")
            expected = f"one of the {len(known)} labels {shown}" if class_names else "a whole number from 0, or text"
            raise _no_class(f"{describe(int((inverse == place).argmax()))} has the label {value!r}", expected)
    indices = np.array([index_of[value] for value in values], dtype=np.int64)
    return tuple(class_names) or tuple(map(str, known)), indices[inverse]


def _no_class(problem: str, expected: str) -> DataError:
    remedy = "correct or remove it; a label of -1 marks an image without a label"
    return DataError(problem, expected=expected, remedy=remedy)


def is_label(value: object) -> bool:
    """Return whether a value is a whole number from 0 or text."""
    return isinstance(value, str) or (isinstance(value, int) and value >= 0)


def class_order(label: object) -> tuple[bool, str]:
    """Return the sorting key of a class: numbers by value, then text.

    >>> sorted(["b", "10", "9", "aa"], key=class_order)
    ['9', '10', 'aa', 'b']
    """
    name = str(label)
    return (False, name.zfill(20)) if name.isdecimal() else (True, name)

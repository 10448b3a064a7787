"""Keys and values as MLflow takes them: what is odd replaced, what is long cut, what is much in batches."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

V = TypeVar("V")
MOST_AT_ONCE = 100
"""Parameters, or tags, in a request."""
LONGEST_VALUE = 6000
LONGEST_TAG = 8000
LONGEST_KEY = 250
FORBIDDEN = re.compile(r"[^\w./ :-]")
"""In keys."""


def keyed(values: Mapping[str, V]) -> dict[str, V]:
    """Return values by keys that MLflow takes: no odd characters, no path that another name could mean, none twice.

    >>> keyed({"a%": 1, "a&": 2, "b//../c": 3})
    {'a_': 1, 'a_ 2': 2, 'b/__/c': 3}
    """
    made: dict[str, V] = {}
    for name, value in values.items():
        parts = [part for part in FORBIDDEN.sub("_", name).split("/") if part not in ("", ".")]
        plain = "/".join("__" if part == ".." else part for part in parts)[:LONGEST_KEY].rstrip("/") or "_"
        key, count = plain, 1
        while key in made:
            count += 1
            key = f"{plain[: LONGEST_KEY - 1 - len(str(count))]} {count}"
        made[key] = value
    return made


def in_text(value: object, most: int) -> str:
    """Return a value as a text of so many characters at most: itself if it is one, else JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def batches(made: list[Any]) -> Iterator[list[Any]]:
    """Yield what was made, as much at once as a request takes."""
    for start in range(0, len(made), MOST_AT_ONCE):
        yield made[start : start + MOST_AT_ONCE]

"""The memory budget: how many bytes of images a component may hold in memory at once."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

UNITS = {
    "": 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
LEAST, MOST = 16 * 10**6, 10**15
DEFAULT_BUDGET = 10**9
SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?([kKMGT]?i?B|)", re.ASCII)
EXPECTED_BUDGET = "a size from 16MB to 1000TB, such as 1GB, 512MiB or a whole number of bytes"


def parse_budget(value: object) -> int:
    """Return a size in bytes.

    >>> parse_budget("1GB"), parse_budget("1.5 GiB"), parse_budget(64_000_000)
    (1000000000, 1610612736, 64000000)

    Raises:
        ValueError: if it is not a size from 16 MB to 1000 TB.
    """
    size = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and (match := SIZE.fullmatch(value)) and match[2] in UNITS:
        size = round(float(match[1]) * UNITS[match[2]])
    if size is None or not LEAST <= size <= MOST:
        raise PydanticCustomError("memory_budget", EXPECTED_BUDGET)  # pydantic tells it as it stands
    return size


BUDGET_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": LEAST, "maximum": MOST},
        {"type": "string", "pattern": f"^(?:{SIZE.pattern})$"},
    ]
}

MemoryBudget = Annotated[int, BeforeValidator(parse_budget), WithJsonSchema(BUDGET_SCHEMA)]
"""Bytes of images that a component holds in memory at once, beside the libraries that it works with.

It decides how large a piece of the data is worked on at a time, and never the result: leave it out of
`identity()`. What grows with the data whatever the budget are some tens of bytes an image: its label,
its place, its digest.
"""

"""The memory budget: how many bytes of images a component may keep in memory at once."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

BYTES_PER_UNIT = {
    "": 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
MIN_BUDGET_BYTES, MAX_BUDGET_BYTES = 16 * 10**6, 10**15
DEFAULT_MEMORY_BUDGET = 10**9
SIZE_PATTERN = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?([kKMGT]?i?B|)", re.ASCII)
EXPECTED_MEMORY_BUDGET = "a size from 16MB to 1000TB, such as 1GB, 512MiB or a whole number of bytes"


def parse_memory_budget(value: object) -> int:
    """Return a size in bytes.

    >>> parse_memory_budget("1GB"), parse_memory_budget("1.5 GiB"), parse_memory_budget(64_000_000)
    (1000000000, 1610612736, 64000000)
    """
    size = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and (match := SIZE_PATTERN.fullmatch(value)) and match[2] in BYTES_PER_UNIT:
        size = round(float(match[1]) * BYTES_PER_UNIT[match[2]])
    if size is None or not MIN_BUDGET_BYTES <= size <= MAX_BUDGET_BYTES:
        raise PydanticCustomError("memory_budget", EXPECTED_MEMORY_BUDGET)  # pydantic adds no prefix to this text
    return size


_NUMBER_SCHEMA = {"type": "integer", "minimum": MIN_BUDGET_BYTES, "maximum": MAX_BUDGET_BYTES}
_TEXT_SCHEMA = {"type": "string", "pattern": f"^(?:{SIZE_PATTERN.pattern})$"}

MemoryBudget = Annotated[
    int, BeforeValidator(parse_memory_budget), WithJsonSchema({"anyOf": [_NUMBER_SCHEMA, _TEXT_SCHEMA]})
]
"""Bytes of images that a component keeps in memory at once, in addition to its libraries.

It decides the chunk size, never the result: exclude it from `identity()`. Only labels, row numbers and digests, some
tens of bytes per image, grow with the data regardless of the budget.
"""

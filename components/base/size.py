"""Sizes in bytes, as a configuration and the environment have them: `1GB`, `512MiB` or a number."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

BYTES_PER_UNIT = {
    "": 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
MIN_BYTES, MAX_BYTES = 16 * 10**6, 10**15
SIZE_PATTERN = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?([kKMGT]?i?B|)", re.ASCII)
EXPECTED_SIZE = "a size from 16MB to 1000TB, such as 1GB, 512MiB or a whole number of bytes"


def parse_size(value: object) -> int:
    """Return a size in bytes; raise PydanticCustomError, a ValueError, for anything else.

    >>> parse_size("1GB"), parse_size("1.5 GiB"), parse_size(64_000_000)
    (1000000000, 1610612736, 64000000)
    """
    size = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and (match := SIZE_PATTERN.fullmatch(value)) and match[2] in BYTES_PER_UNIT:
        size = round(float(match[1]) * BYTES_PER_UNIT[match[2]])
    if size is None or not MIN_BYTES <= size <= MAX_BYTES:
        raise PydanticCustomError("size", EXPECTED_SIZE)  # pydantic adds no prefix to this text
    return size


_NUMBER_SCHEMA = {"type": "integer", "minimum": MIN_BYTES, "maximum": MAX_BYTES}
_TEXT_SCHEMA = {"type": "string", "pattern": f"^(?:{SIZE_PATTERN.pattern})$"}

Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema({"anyOf": [_NUMBER_SCHEMA, _TEXT_SCHEMA]})]
"""A size in bytes in a configuration."""

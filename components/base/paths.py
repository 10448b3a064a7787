"""Paths from outside: from a configuration, the command line or the environment."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from components.base.errors import ConfigError
from components.base.text import is_utf8, printable

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
MAX_PATH_BYTES = 4095
MAX_NAME_BYTES = 255
"""Limits of Linux."""


def parse_path(value: str | os.PathLike[str]) -> Path:
    """Return a path, with a leading `~` replaced by the home folder; raise ValueError if no file can have this path.

    >>> parse_path("~no-such-user/data")
    Traceback (most recent call last):
    ValueError: there is no home folder for ~no-such-user
    """
    text = os.fspath(value)
    _check(text)
    try:
        path = Path(text).expanduser() if text.startswith("~") else Path(text)
    except RuntimeError as error:
        raise ValueError(f"there is no home folder for {printable(Path(text).parts[0])}") from error
    _check(str(path))
    return path


def require_path(where: str, text: str | os.PathLike[str]) -> Path:
    """Return the path in an option or an environment variable; raise ConfigError as `parse_path` raises ValueError."""
    try:
        return parse_path(text)
    except ValueError as error:
        expected = "the path of a file or folder"
        raise ConfigError.at(where, str(error), expected=expected, remedy=f"correct {where}") from error


def check_no_url(text: str) -> None:
    """Raise ValueError if a text is a URL."""
    if URL.match(text):
        raise ValueError(f"{printable(text)} is a URL; expected a path on this machine")


def _check(text: str) -> None:
    if not text:
        raise ValueError("the path is empty")
    check_no_url(text)
    if "\0" in text:
        raise ValueError("the path contains a NUL character")
    if not is_utf8(text):
        raise ValueError(f"the path {printable(text)} is not UTF-8")
    encoded = text.encode()
    if len(encoded) > MAX_PATH_BYTES:
        raise ValueError(f"the path has {len(encoded)} bytes; the limit is {MAX_PATH_BYTES}")
    longest = max(map(len, encoded.split(b"/")))
    if longest > MAX_NAME_BYTES:
        raise ValueError(f"the path contains a name of {longest} bytes; the limit is {MAX_NAME_BYTES}")


def _validate(value: object) -> Path:
    if isinstance(value, str | Path) and str(value):
        return parse_path(value)
    raise PydanticCustomError("path", "the path of a file or folder")


UserPath = Annotated[Path, PlainValidator(_validate), WithJsonSchema({"type": "string", "minLength": 1})]
"""A path in a configuration. Nothing validates it again: in JSON, pydantic would not accept a Path."""

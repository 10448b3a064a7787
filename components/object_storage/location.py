"""Locations in options and configurations: a path, or a URL of object storage."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from components.base.errors import ConfigError
from components.base.paths import parse_path, require_path
from components.object_storage.url import ObjectUrl, is_any_url

Location = Path | ObjectUrl


def require_location(where: str, text: str) -> Location:
    """Return the path or URL in an option or an environment variable; raise ConfigError, with `where`, for other text.

    >>> str(require_location("--root", "s3://bucket/prefix/"))
    's3://bucket/prefix'
    """
    return ObjectUrl.parse(text, where=where) if is_any_url(text) else require_path(where, text)


def parse_location(text: str | os.PathLike[str]) -> Location:
    """Return a path or URL; raise ValueError, with what is wrong and what was expected, for other text."""
    if not is_any_url(os.fspath(text)):
        return parse_path(text)
    try:
        return ObjectUrl.parse(os.fspath(text))
    except ConfigError as error:
        raise ValueError(f"{error.headline}; expected {error.expected}") from error


def path_or_text(location: Location) -> Path | str:
    """Return a path as it is, and a URL as text, because `components.base` does not import this package."""
    return str(location) if isinstance(location, ObjectUrl) else location


def _validate(value: object) -> Location:
    if isinstance(value, ObjectUrl):
        return value
    if isinstance(value, str | Path) and str(value):
        return parse_location(value)
    raise PydanticCustomError("path", "the path of a file or folder, or a URL of object storage")


def _validate_reference(text: str) -> str:
    _validate(text)
    return text


UserLocation = Annotated[
    Location,
    PlainValidator(_validate),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
"""A path or URL in a configuration."""
Reference = Annotated[str, AfterValidator(_validate_reference)]
"""The name of a run, or a path or URL, in a configuration."""

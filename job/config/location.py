"""Locations of roots, from a configuration, an option or an environment variable: a path or a URL of object storage."""

from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from components.base.errors import ConfigError
from components.base.paths import parse_path, require_path
from components.object_storage.url import Location, ObjectUrl, is_object_url


def parse_location(where: str, text: str) -> Location:
    """Return a path or a URL; raise ConfigError, with the option or key `where`, if it is neither."""
    return ObjectUrl.parse(text, where=where) if is_object_url(text) else require_path(where, text)


def as_location(value: Location | str) -> Location:
    """Return a location that may be given as a text in Python."""
    return parse_location("root", value) if isinstance(value, str) else value


def _validate(value: object) -> Location:
    if isinstance(value, ObjectUrl):
        return value
    if isinstance(value, str) and is_object_url(value):
        try:
            return ObjectUrl.parse(value)
        except ConfigError as error:
            raise ValueError(error.headline) from error
    if isinstance(value, str | Path) and str(value):
        return parse_path(value)
    raise PydanticCustomError("path", "the path of a file or folder")


RootLocation = Annotated[
    Location,
    PlainValidator(_validate),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
"""A root in a configuration."""

"""Columns of a Parquet file that contain images and labels."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.base.errors import DataError
from components.io.csv_layout import LABEL_COLUMN, USUAL_LABEL_NAMES

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE_COLUMN = "image"
LAYOUT = "a column of labels, and images: encoded pictures, lists of pixels, or one column per pixel"
HUB_KEY = b"huggingface"
"""Key of a schema's metadata in which the library `datasets` of Hugging Face describes the columns."""
MAX_NAMES_SHOWN = 5


@dataclass(frozen=True)
class ParquetColumns:
    """The columns that are read."""

    images: tuple[str, ...]
    """One column of pictures or lists, or one per pixel."""
    label: str
    class_names: tuple[str, ...]
    """Those of a data set of the Hugging Face hub; empty for other files."""


def find_columns(path: Path, schema: pa.Schema, image: str | None, label: str | None) -> ParquetColumns:
    """Find the columns of images and labels.

    Without names, they are `image` and `label`, or those that the Hugging Face hub describes as image and class label.
    Otherwise, the images are in the only column that holds no numbers, or in all columns of numbers.

    Args:
        path: the file, for messages.
        schema: its columns.
        image: the name of the column of images, or a pattern for one column per pixel.
        label: the name of the column of labels.

    Raises:
        DataError: if columns are missing, ambiguous, or of types that do not hold images or labels.
    """
    import pyarrow as pa

    counts = Counter(schema.names)
    described = _hub_features(schema)
    label = label or _find_label(path, schema, described)
    if counts[label] != 1:
        raise _no_column(path, schema, label, "label")
    others = [name for name in schema.names if name != label and not name.startswith("__index_level_")]
    images = [name for name in others if fnmatchcase(name, image)] if image else _find_images(schema, others, described)
    if not images or max(counts[name] for name in images) > 1:
        raise _no_column(path, schema, image or IMAGE_COLUMN, "image")
    for name in images:
        kind = storage_type(schema.field(name).type)
        if not (is_number(kind) or (len(images) == 1 and (holds_pictures(kind) or is_list(kind)))):
            remedy = "set example_gen.source.columns.image to the column, or a pattern for the columns, of images"
            raise DataError(f"the column `{name}` of {path} holds {kind}", expected=LAYOUT, remedy=remedy)
    kind = schema.field(label).type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or is_text(kind)):
        remedy = "convert it, or set example_gen.source.columns.label"
        headline = f"the column `{label}` of {path} holds {kind}"
        raise DataError(headline, expected="labels that are whole numbers or text", remedy=remedy)
    names = described.get(label, {}).get("names")
    return ParquetColumns(tuple(images), label, tuple(map(str, names)) if isinstance(names, list) else ())


def _hub_features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return the description of each column of a data set of the Hugging Face hub; none of another file."""
    try:
        features = json.loads(schema.metadata[HUB_KEY])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (TypeError, KeyError, ValueError, AttributeError):
        return {}


def _find_label(path: Path, schema: pa.Schema, described: dict[str, dict[str, Any]]) -> str:
    found = [name for name, feature in described.items() if feature.get("_type") == "ClassLabel"]
    if LABEL_COLUMN in schema.names or not found:
        return LABEL_COLUMN
    if len(found) > 1:
        raise DataError(
            f"{path} has {len(found)} columns of labels: {', '.join(found)}",
            expected="the name of one of them",
            remedy=f"set example_gen.source.columns.label: {found[0]}",
        )
    return found[0]


def _find_images(schema: pa.Schema, others: list[str], described: dict[str, dict[str, Any]]) -> list[str]:
    if IMAGE_COLUMN in others:
        return [IMAGE_COLUMN]
    pictures = [name for name in others if described.get(name, {}).get("_type") == "Image"]
    nested = [name for name in others if not is_number(storage_type(schema.field(name).type))]
    for found in (pictures, nested):
        if len(found) == 1:
            return found
    return [] if nested else others


def _no_column(path: Path, schema: pa.Schema, name: str, part: str) -> DataError:
    problem = "several columns" if schema.names.count(name) > 1 else "no column"
    shown = ", ".join(schema.names[:MAX_NAMES_SHOWN]) + (", ..." if len(schema.names) > MAX_NAMES_SHOWN else "")
    likely = [column for column in schema.names if column.casefold() in USUAL_LABEL_NAMES] if part == "label" else []
    remedy = f"set example_gen.source.columns.{part}" + (f": {likely[0]}" if len(likely) == 1 else " to its name")
    return DataError(f"{path} has {problem} `{name}`; it has {shown}", expected=LAYOUT, remedy=remedy)


def storage_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which the values of an extension type are stored; of another type, the type."""
    return getattr(kind, "storage_type", kind)


def is_number(kind: pa.DataType) -> bool:
    """Return whether values are numbers."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_list(kind: pa.DataType) -> bool:
    """Return whether values are lists of any kind."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_text(kind: pa.DataType) -> bool:
    """Return whether values are text, also if each is stored once in a dictionary."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def holds_pictures(kind: pa.DataType) -> bool:
    """Return whether values are bytes, or structures with the field `bytes`, as on the Hugging Face hub."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and holds_pictures(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

"""Sources of images, one class per `kind`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from components.base.extension import USE
from components.example_gen.sources.csv import CsvSource
from components.example_gen.sources.digits import DigitsSource
from components.example_gen.sources.idx import IdxSource
from components.example_gen.sources.image_folder import ImageFolderSource
from components.example_gen.sources.image_source import CustomSource, ImageSource
from components.example_gen.sources.parquet import ParquetSource
from components.example_gen.sources.tfds import TfdsSource


def _with_kind(source: Any) -> Any:
    """Return a section with `use`, or a custom class, as a section with a `kind`."""
    if isinstance(source, type):
        source = {USE: source}
    return {"kind": "custom", **source} if isinstance(source, dict) and USE in source else source


AnySource = Annotated[
    DigitsSource | TfdsSource | IdxSource | CsvSource | ImageFolderSource | ParquetSource | CustomSource,
    Field(discriminator="kind"),
    BeforeValidator(_with_kind),
]

__all__ = [
    "AnySource",
    "CsvSource",
    "CustomSource",
    "DigitsSource",
    "IdxSource",
    "ImageFolderSource",
    "ImageSource",
    "ParquetSource",
    "TfdsSource",
]

"""Sources of images, one class per `kind`."""

from typing import Annotated

from pydantic import Field

from components.base.extension import use_selects
from components.example_gen.sources.csv import CsvSource
from components.example_gen.sources.digits import DigitsSource
from components.example_gen.sources.idx import IdxSource
from components.example_gen.sources.image_folder import ImageFolderSource
from components.example_gen.sources.image_source import CustomSource, ImageSource
from components.example_gen.sources.parquet import ParquetSource
from components.example_gen.sources.tfds import TfdsSource

AnySource = Annotated[
    DigitsSource | TfdsSource | IdxSource | CsvSource | ImageFolderSource | ParquetSource | CustomSource,
    Field(discriminator="kind"),
    use_selects("custom"),
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

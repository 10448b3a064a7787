"""Sources of images, one class per `kind`."""

from typing import Annotated

from pydantic import Field

from components.example_gen.sources.csv import CsvSource
from components.example_gen.sources.digits import DigitsSource
from components.example_gen.sources.idx import IdxSource
from components.example_gen.sources.image_folder import ImageFolderSource
from components.example_gen.sources.tfds import TfdsSource

AnySource = Annotated[
    DigitsSource | TfdsSource | IdxSource | CsvSource | ImageFolderSource, Field(discriminator="kind")
]

__all__ = ["AnySource", "CsvSource", "DigitsSource", "IdxSource", "ImageFolderSource", "TfdsSource"]

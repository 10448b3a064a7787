"""CSV files of images, such as Kaggle's digit-recognizer: a column of labels and one column per pixel."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.sources.base import Dataset
from components.example_gen.sources.numbered import NumberedSource
from components.io.conversion import image_shape
from components.io.files import data_sha256
from components.object_storage import UserLocation, open_local

if TYPE_CHECKING:
    from components.io.raw_images import LabelledImages

PixelCount = Annotated[int, Field(strict=True, ge=1)]


class CsvSource(NumberedSource):
    """One CSV file, or a train and a test file, plain or gzip, with commas, semicolons or tabs."""

    kind: Literal["csv"] = "csv"
    """Selects this source."""
    path: UserLocation
    """The file of all images, or of the training images, or its URL in object storage."""
    test_path: UserLocation | None = None
    """The file of labelled test images, if there is one."""
    label_column: Annotated[int, Field(strict=True)] | Annotated[str, Field(min_length=1)] | None = None
    """Name of the column of labels, or its index from 0 (-1 for the last); by default `label` or, without a header, the
    first column."""
    header: Literal["auto"] | Annotated[bool, Field(strict=True)] = "auto"
    """Whether the first row names the columns; `auto`: unless it holds numbers."""
    shape: tuple[PixelCount, PixelCount] | None = None
    """Height and width in pixels; by default the images are square."""

    def identity(self) -> dict[str, str]:
        layout = {key: str(getattr(self, key)) for key in ("shape", "label_column", "header")}
        files = {"train": self.path} | ({} if self.test_path is None else {"test": self.test_path})
        return (
            super().identity()
            | layout
            | {name: data_sha256(open_local(location).path, "a CSV file") for name, location in files.items()}
        )

    def load(self, context: Context, scratch: Path) -> Dataset:
        path = open_local(self.path).path
        self.warn_if_transposed(path, context)
        train = self._load_file(path, context, scratch / "train")
        test = None
        if self.test_path is not None:
            test = self._load_file(open_local(self.test_path).path, context, scratch / "test")
        sizes = [part.images.height * part.images.width for part in (train, test) if part is not None]
        if sizes[0] != sizes[-1]:
            raise DataError(
                f"{self.test_path} has images of {sizes[-1]} pixels, {self.path} of {sizes[0]}",
                expected="train and test images of one size",
                remedy="use files of the same data set",
            )
        return Dataset("CSV images", self.class_names, train, test)

    def _load_file(self, path: Path, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.csv_images import CsvImages
        from components.io.csv_layout import detect_layout
        from components.io.raw_images import LabelledImages, spool_images

        layout = detect_layout(path, self.header)
        csv_images = CsvImages(layout, layout.find_label(self.label_column))
        height, width, *color = self._image_shape(path, csv_images.pixels)
        labels = []
        # A pixel takes at least two characters; images of a gzip file may need more.
        needed = path.stat().st_size // 2
        with spool_images(scratch, height=height, width=width, channels=self.channels, needed=needed) as spool:
            for pixels, batch_labels in csv_images.batches():
                context.termination.check()
                spool.append(pixels.reshape(-1, height, width, *color))
                labels.append(batch_labels)
        images = replace(spool.images(), column_major=self.transpose)
        return LabelledImages(images, self.to_class_indices(np.concatenate(labels), path))

    def _image_shape(self, path: Path, columns: int) -> tuple[int, ...]:
        """Return height and width, and for color images 3, for a number of columns without that of labels."""
        if found := image_shape(columns, self.shape):
            return found
        layout = "x".join(map(str, self.shape)) if self.shape else "square"
        number = f"{prod(self.shape)} columns" if self.shape else "a square number of columns"
        raise DataError(
            f"{path} has {columns} pixel columns, which do not make {layout} images",
            expected=f"{number} beside that of labels, or three times as many for color",
            remedy="remove columns that are not pixels, or set example_gen.source.shape to [height, width]",
        )

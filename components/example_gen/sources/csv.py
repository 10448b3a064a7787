"""CSV files in the layout of Kaggle's digit-recognizer: a column `label` and one column per pixel."""

from __future__ import annotations

from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.base.component import Context
from components.base.errors import DataError
from components.base.paths import UserPath
from components.example_gen.sources.base import Dataset, SourceConfig
from components.io.files import data_sha256

if TYPE_CHECKING:
    from components.io.raw_images import LabelledImages

PixelCount = Annotated[int, Field(strict=True, ge=1)]


class CsvSource(SourceConfig):
    """One CSV file, or a train and a test file, in the layout of Kaggle's digit-recognizer."""

    kind: Literal["csv"] = "csv"
    """Selects this source."""
    path: UserPath
    """The file of all images, or of the training images."""
    test_path: UserPath | None = None
    """The file of labelled test images, if there is one."""
    shape: tuple[PixelCount, PixelCount] | None = None
    """Height and width in pixels; by default the images are square."""
    classes: Annotated[int, Field(strict=True, ge=2, le=256)] = 10
    """Number of classes: labels are 0 to one less."""

    def identity(self) -> dict[str, str]:
        identity = {"classes": str(self.classes), "shape": str(self.shape)}
        for name, path in (("train", self.path), ("test", self.test_path)):
            if path is not None:
                identity[name] = data_sha256(path, "a CSV file")
        return identity

    def load(self, context: Context, scratch: Path) -> Dataset:
        train = self._load_file(self.path, context, scratch / "train")
        test = None if self.test_path is None else self._load_file(self.test_path, context, scratch / "test")
        if test is not None and test.images.pixels != train.images.pixels:
            raise DataError(
                f"{self.test_path} has images of {test.images.pixels} pixels, {self.path} of {train.images.pixels}",
                expected="train and test images of one size",
                remedy="use files of the same data set",
            )
        return Dataset("CSV images", tuple(map(str, range(self.classes))), train, test)

    def _load_file(self, path: Path, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.csv_images import no_rows, open_csv_images
        from components.io.raw_images import LabelledImages, spool_images

        csv_images = open_csv_images(path, labelled=True)
        height, width = self._image_shape(path, len(csv_images.pixel_columns))
        labels = []
        # A pixel takes at least two characters.
        with spool_images(scratch, height=height, width=width, needed=path.stat().st_size // 2) as spool:
            for pixels, batch_labels in csv_images.batches():
                context.termination.check()
                spool.append(pixels)
                labels.append(batch_labels)
        if not labels:
            raise no_rows(path)
        return LabelledImages(spool.images(), np.concatenate(labels))

    def _image_shape(self, path: Path, pixels: int) -> tuple[int, int]:
        side = isqrt(pixels)
        height, width = self.shape or (side, side)
        if height * width != pixels or pixels == 0:
            layout = f"{height}x{width}" if self.shape else "square"
            raise DataError(
                f"{path} has {pixels} pixel columns, which do not make {layout} images",
                expected=f"{height * width} columns beside `label`" if self.shape else "a square number of columns",
                remedy="remove columns that are not pixels, or set example_gen.source.shape to [height, width]",
            )
        return height, width

"""scikit-learn's bundled digits: 1,797 images of 8x8, offline; not MNIST.

They are the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak,
UCI Machine Learning Repository, 1998), where each value counts the ink in a 4x4 block, 0 to 16.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.example_gen.sources.base import Dataset, SourceConfig

if TYPE_CHECKING:
    from pathlib import Path

    from components.base.component import Context

FULL_INK = 16


class DigitsSource(SourceConfig):
    """scikit-learn's bundled digits, resized and scaled to 0..255."""

    kind: Literal["digits"] = "digits"
    """Which source this is."""
    size: Annotated[int, Field(strict=True, ge=8, le=1024)] = 28
    """Height and width that the 8x8 images are resized to, in pixels."""

    def identity(self) -> dict[str, str]:
        return {"scikit-learn": version("scikit-learn"), "size": str(self.size)}

    def load(self, context: Context, scratch: Path) -> Dataset:  # noqa: ARG002
        import numpy as np
        from PIL import Image
        from sklearn.datasets import load_digits

        from components.io.raw_images import LabelledImages, spool_images

        bunch = load_digits()
        scaled = np.rint(bunch.images * (255 / FULL_INK)).astype(np.uint8)
        needed = len(scaled) * self.size**2
        with spool_images(scratch / "digits", height=self.size, width=self.size, needed=needed) as spool:
            for image in scaled:
                spool.append(
                    np.asarray(Image.fromarray(image).resize((self.size, self.size), Image.Resampling.BICUBIC))
                )
        return Dataset(
            title=f"scikit-learn digits, 8x8 resized to {self.size}x{self.size}",
            class_names=tuple(str(name) for name in bunch.target_names),
            train=LabelledImages(spool.images(), bunch.target.astype(np.int64)),
            test=None,
        )

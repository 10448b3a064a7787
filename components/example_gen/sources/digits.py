"""scikit-learn's bundled digits: 1,797 images of 8x8, available offline; not MNIST.

They are the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI Machine Learning
Repository, 1998). Each value counts the ink in a 4x4 block, 0 to 16.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from components.base.component import Context
from components.example_gen.sources.base import Dataset, SourceConfig


class DigitsSource(SourceConfig):
    """scikit-learn's bundled digits, scaled to 0..255 and resized."""

    kind: Literal["digits"] = "digits"
    """Selects this source."""
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
        scaled = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
        size = self.size
        with spool_images(scratch / "digits", height=size, width=size, needed=len(scaled) * size**2) as spool:
            for image in scaled:
                resized = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
                spool.append(np.asarray(resized)[None])
        return Dataset(
            title=f"scikit-learn digits, 8x8 resized to {size}x{size}",
            class_names=tuple(map(str, bunch.target_names)),
            train=LabelledImages(spool.images(), bunch.target.astype(np.int64)),
            test=None,
        )

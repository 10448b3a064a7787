"""Files on disk: splits, raw images, pictures, digests, atomic writes.

`iterate_examples` and the other public names are imported on first use, because they need pandas and PyArrow, which a
run that reuses all artifacts does not load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from components.io.files import data_sha256

if TYPE_CHECKING:
    from components.io.splits import ImageSplit, iterate_examples, read_predictions

IMPORTED_ON_USE = ("ImageSplit", "iterate_examples", "read_predictions")

__all__ = ["ImageSplit", "data_sha256", "iterate_examples", "read_predictions"]


def __getattr__(name: str) -> Any:
    if name in IMPORTED_ON_USE:
        return getattr(import_module("components.io.splits"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

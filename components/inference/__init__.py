"""Read the images of a transformed split, load a trained model, and predict.

Importing this package loads neither NumPy nor TensorFlow: the names that read images are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from components.inference.linear import write_linear_model
from components.inference.predictor import Predictor, RawPredictor, load_network, load_predictor, load_raw_predictor

if TYPE_CHECKING:
    from components.inference.split_images import SplitImages, iterate_scaled, open_pictures, open_scaled, read_scaled

IMPORTED_ON_USE = ("SplitImages", "iterate_scaled", "open_pictures", "open_scaled", "read_scaled")

__all__ = [
    "Predictor",
    "RawPredictor",
    "SplitImages",
    "iterate_scaled",
    "load_network",
    "load_predictor",
    "load_raw_predictor",
    "open_pictures",
    "open_scaled",
    "read_scaled",
    "write_linear_model",
]


def __getattr__(name: str) -> Any:
    if name in IMPORTED_ON_USE:
        return getattr(import_module("components.inference.split_images"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""EMNIST's files: images stored column by column, recognized by their names.

See G. Cohen, S. Afshar, J. Tapson, A. van Schaik ("EMNIST: an extension of MNIST to handwritten letters", 2017).
"""

from pathlib import Path


def is_emnist(path: Path) -> bool:
    """Return whether a file is one of EMNIST's, such as emnist-letters-train-images-idx3-ubyte.gz."""
    return path.name.lower().startswith("emnist")


def transposed_images(path: Path, setting: str) -> str:
    """Return a warning of a file whose images are not upright, with the setting that transposes them."""
    return f"{path.name}: EMNIST stores images column by column; set {setting} for upright images"

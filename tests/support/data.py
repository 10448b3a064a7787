"""Small data sets in all input formats."""

from __future__ import annotations

import gzip
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components import Context
from components.base.engine import Engine, InProcess
from components.base.progress import NoProgress
from components.example_gen.sources.base import SourceConfig
from components.io.splits import ImageSplit


@dataclass(frozen=True)
class Loaded:
    """A dataset with its images in memory."""

    title: str
    class_names: tuple[str, ...]
    train: ImageSplit[np.uint8]
    test: ImageSplit[np.uint8] | None
    warnings: list[str]


class WarningRecorder(NoProgress):
    """Stores the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def load(source: SourceConfig, engine: Engine | None = None) -> Loaded:
    """Load a source as ExampleGen does, and read its images into memory."""
    with tempfile.TemporaryDirectory() as scratch:
        progress = WarningRecorder()
        context = Context(output=Path(scratch), progress=progress, engine=engine or InProcess())
        dataset = source.load(context, Path(scratch))
        dataset = dataset.with_channels(source.channels, Path(scratch), context.termination.check)
        train, *test = [ImageSplit(np.concatenate([*part.images.chunks()]), part.labels) for part in dataset.parts()]
        return Loaded(dataset.title, dataset.class_names, train, test[0] if test else None, progress.warnings)


IDX_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def squares(
    count: int, *, classes: int = 10, size: int = 28, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy images with a bright square, further right for higher labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % classes
    images = random.integers(0, 60, (count, size, size), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        left = round(int(label) * (size - 6) / (classes - 1))
        image[size // 3 : size // 3 + 6, left : left + 6] = 220
    return images, labels


def write_idx(path: Path, array: NDArray[np.integer]) -> None:
    """Write an IDX file of unsigned bytes; gzip if the name ends in .gz."""
    header = bytes((0, 0, 0x08, array.ndim)) + struct.pack(f">{array.ndim}i", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content, compresslevel=1) if path.suffix == ".gz" else content)


def write_idx_folder(folder: Path, *, train: int = 200, test: int = 100, gz: bool = False) -> Path:
    """Write the four MNIST files, or two if `test` is 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", train, 0), ("test", test, 1)):
        if count:
            images, labels = squares(count, seed=seed)
            ending = ".gz" if gz else ""
            write_idx(folder / (IDX_NAMES[part][0] + ending), images)
            write_idx(folder / (IDX_NAMES[part][1] + ending), labels)
    return folder


def write_csv(path: Path, *, count: int = 60, classes: int = 10, size: int = 8, seed: int = 0) -> Path:
    """Write a CSV file in the layout of Kaggle's digit-recognizer."""
    images, labels = squares(count, classes=classes, size=size, seed=seed)
    header = ",".join(["label", *(f"pixel{index}" for index in range(size * size))])
    rows = (",".join(map(str, [label, *image.reshape(-1)])) for image, label in zip(images, labels, strict=True))
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def write_image_folder(root: Path, *, classes: int = 3, per_class: int = 8, size: int = 12) -> Path:
    """Write one folder of PNG files per class."""
    images, labels = squares(classes * per_class, classes=classes, size=size)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = root / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index}.png")
    return root

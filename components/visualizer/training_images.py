"""TrainingImages: ten images of each class, their mean, and the most distant one; and augmented images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Model, Stored, TransformedExamples
from components.inference.split_images import open_pictures, read_labels
from components.inference.transform_graph import input_graph
from components.io.splits import row_group_rows

IMAGES_PER_CLASS = 10
MAX_CLASSES = 100
"""Classes after these are not shown."""
MAX_VALUES = 160_000_000
"""Pixels that are read; of a larger split, only the first images are read, to limit the time. CIFAR-10
has 150 million."""
MAX_SIDE_PIXELS = 48
"""Larger images are reduced by an integer factor."""

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class ClassImages:
    """Training images of one class, as pictures: float32 [height, width, channels] from 0 to 1."""

    name: str
    images: tuple[NDArray[np.float32], ...]
    """At most `IMAGES_PER_CLASS`, evenly spaced over the rows of the class."""
    mean: NDArray[np.float32]
    most_distant: NDArray[np.float32]
    """The image with the largest Euclidean distance from the mean."""
    most_distant_row: int
    """Its row in the training split."""


@dataclass(frozen=True)
class AugmentedImage:
    """A training image, and what augmentation made of it."""

    row: int
    """Its row in the training split."""
    class_name: str
    original: NDArray[np.float32]
    """A picture: [height, width, channels], 0 to 1."""
    variants: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class TrainingImages:
    """Training images by class."""

    classes: tuple[ClassImages, ...]
    """Those of the first `MAX_CLASSES` that have training images."""
    images_read: int
    """All training images, or the first as far as `MAX_VALUES` allows."""

    @property
    def images_per_class(self) -> int:
        """The largest number of images that a class shows."""
        return max(len(each.images) for each in self.classes)

    @classmethod
    def read(cls, transformed: Stored[TransformedExamples]) -> Self:
        """Read the training split twice: for the means, and for the distances from them."""
        names = transformed.artifact.class_names[:MAX_CLASSES]
        sums = np.zeros((len(names), *transformed.artifact.picture_shape))
        read = []
        for pictures, labels in _batches(transformed):
            for label, rows in _rows_by_label(labels, len(names)):
                sums[label] += pictures[rows].sum(axis=0, dtype=np.float64)
            read.append(labels)
        all_labels = np.concatenate(read)
        rows_of = dict(_rows_by_label(all_labels, len(names)))
        means = {label: (sums[label] / len(rows)).astype(np.float32) for label, rows in rows_of.items()}

        shown = {label: _evenly_spaced(rows) for label, rows in rows_of.items()}
        wanted = np.sort(np.concatenate(list(shown.values())))
        found: dict[int, NDArray[np.float32]] = {}
        most_distant = dict.fromkeys(rows_of, (-1.0, -1))  # distance and row
        first = 0
        for pictures, labels in _batches(transformed):
            here = wanted[slice(*np.searchsorted(wanted, (first, first + len(labels))))]
            found |= {int(row): _reduced(pictures[row - first]) for row in here}
            for label, rows in _rows_by_label(labels, len(names)):
                difference = (pictures[rows] - means[label]).reshape(len(rows), -1)
                distances = np.einsum("ij,ij->i", difference, difference)
                row = int(rows[distances.argmax()])
                if distances.max() > most_distant[label][0]:
                    most_distant[label] = float(distances.max()), first + row
                    found[first + row] = _reduced(pictures[row])
            first += len(labels)
        classes = (
            ClassImages(
                names[label],
                images=tuple(found[row] for row in shown[label].tolist()),
                mean=_reduced(means[label]),
                most_distant=found[row],
                most_distant_row=row,
            )
            for label, (_, row) in most_distant.items()
        )
        return cls(tuple(classes), images_read=len(all_labels))


def read_augmented(model: Stored[Model], transformed: Stored[TransformedExamples]) -> tuple[AugmentedImage, ...]:
    """Return the augmented images that the Trainer wrote; empty without augmentation."""
    statement = model.artifact.augmented
    if statement is None:
        return ()
    images = np.load(model.directory / statement.file, allow_pickle=False)
    if input_graph(transformed.artifact.graph):  # a network input is not a picture: its originals give the scale
        low, high = (limit(images[:, 0], axis=(0, 1, 2)) for limit in (np.min, np.max))
        images = (images - low) / np.maximum(high - low, 1e-6)
    pictures = np.clip(images, 0, 1)
    labels = read_labels(transformed.directory, transformed.artifact.splits.train)
    return tuple(
        AugmentedImage(
            row,
            class_name=transformed.artifact.class_names[labels[row]],
            original=_reduced(original),
            variants=tuple(map(_reduced, variants)),
        )
        for row, (original, *variants) in zip(statement.rows, pictures, strict=True)
    )


def _batches(transformed: Stored[TransformedExamples]) -> Iterator[Batch]:
    """Yield pictures and labels of the training split, from its first row on."""
    split = transformed.artifact.splits.train
    pixels = int(np.prod(transformed.artifact.picture_shape))
    count, rows = min(split.count, max(1, MAX_VALUES // pixels)), row_group_rows(pixels)
    train = open_pictures(transformed, split)
    for first, batch in zip(range(0, count, rows), train.batches(rows), strict=False):
        last = min(first + rows, count)
        yield batch[: last - first], train.labels[first:last]


def _rows_by_label(labels: NDArray[np.int64], limit: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each label below `limit`, and its rows."""
    # Sums of classes one by one take a third of the time of a matrix product, whose threads also wait for each other.
    for label in np.unique(labels).tolist():
        if label < limit:
            yield label, np.flatnonzero(labels == label)


def _evenly_spaced(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return `IMAGES_PER_CLASS` of the rows, or all if there are fewer."""
    return rows[np.linspace(0, len(rows), min(len(rows), IMAGES_PER_CLASS), endpoint=False, dtype=np.intp)]


def _reduced(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture of at most `MAX_SIDE_PIXELS`, whose pixels are means of squares."""
    height, width, channels = picture.shape
    side = -(-max(height, width) // MAX_SIDE_PIXELS)
    if side == 1:
        return picture.copy()
    rows, columns = height // side, width // side
    squares = picture[: rows * side, : columns * side].reshape(rows, side, columns, side, channels)
    reduced: NDArray[np.float32] = squares.mean(axis=(1, 3), dtype=np.float32)
    return reduced

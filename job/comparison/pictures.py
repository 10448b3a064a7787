"""Galleries of the page: images that only one model classifies correctly, and images that differ in the data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from components.artifacts import ChangedImage, ComparedImage, Examples, Stored
from components.html.format import percent
from components.html.inline_images import image_attributes
from components.io.splits import read_images
from job.comparison.compare import RunComparison

MAX_PICTURES = 24
"""Maximum number of pictures in a gallery, which states the number of all images."""


@dataclass(frozen=True)
class GalleryImage:
    """One picture, with lines of text below it."""

    attributes: Markup
    alt: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """The first images with a common property."""

    title: str
    count: int
    images: tuple[GalleryImage, ...]


def test_galleries(comparison: RunComparison) -> Iterator[Gallery]:
    """Yield the images that only one model classifies correctly; without pictures if the examples are deleted."""
    if (paired := comparison.paired) is None:
        return
    first, second = comparison.first.letter, comparison.second.letter
    for letter, images in ((first, paired.only_first_right), (second, paired.only_second_right)):
        if not images:
            continue
        shown = images[:MAX_PICTURES]
        rows = [image.row for image in shown]
        ids = comparison.test_ids(rows)
        pictures = _pictures(comparison.first.examples("test") if ids else None, "test", rows)
        yield Gallery(
            f"Only {letter} is correct",
            len(images),
            tuple(_scored(comparison, image, pictures[image.row], ids[image.row]) for image in shown if pictures),
        )


def _scored(comparison: RunComparison, image: ComparedImage, attributes: Markup, name: str) -> GalleryImage:
    names, first, second = comparison.class_names, comparison.first.letter, comparison.second.letter
    label = names[image.label]
    lines = (
        f"{first}: {names[image.first]}, {percent(image.first_confidence, 1)}",
        f"{second}: {names[image.second]}, {percent(image.second_confidence, 1)}",
        name,
    )
    return GalleryImage(attributes, f"Test image {name}: a {label}", label, lines)


def data_galleries(comparison: RunComparison) -> Iterator[Gallery]:
    """Yield the images of each split that were added, removed or relabelled."""
    if (data := comparison.data_changes) is None:
        return
    old, new = comparison.first.stored(Examples), comparison.second.stored(Examples)
    if old is None or new is None:
        return
    for name, split in data.splits.items():
        for title, count, images, examples in (
            ("relabelled", split.relabelled, split.relabelled_images, old),
            ("added", split.added, split.added_images, new),
            ("removed", split.removed, split.removed_images, old),
        ):
            shown, names = images[:MAX_PICTURES], examples.artifact.class_names
            pictures = _pictures(examples, name, [image.row for image in shown])
            if count:
                yield Gallery(
                    f"{name}: {title}",
                    count,
                    tuple(_changed(image, pictures[image.row], names, new.artifact.class_names) for image in shown),
                )


def _changed(image: ChangedImage, attributes: Markup, names: Sequence[str], names_after: Sequence[str]) -> GalleryImage:
    title = names[image.label]
    if image.label_after is not None:
        title = f"{title} → {names_after[image.label_after]}"
    return GalleryImage(attributes, f"Image {image.id}: {title}", title, (image.id,))


def _pictures(examples: Stored[Examples] | None, split: str, rows: Sequence[int]) -> dict[int, Markup]:
    if examples is None or not rows:
        return {}
    ordered = sorted(rows)
    raw = read_images(examples, getattr(examples.artifact.splits, split), np.array(ordered, dtype=np.int64))
    height, width, channels = examples.artifact.image_shape
    images = raw.reshape(-1, height, width, channels).astype(np.float32) / 255
    return {row: image_attributes(image) for row, image in zip(ordered, images, strict=True)}

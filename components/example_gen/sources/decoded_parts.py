"""Decoded parts: tasks decode the pictures of a source and write one file each, and the files are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.base.addresses import with_addresses
from components.base.component import Context
from components.io.conversion import Channels
from components.io.picture_folder import first_frame_only
from components.io.raw_images import RawImages, spool_images

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DecodedPart:
    """The images that one task decoded, in a file that is deleted when the parts are joined."""

    images: RawImages
    labels: NDArray[Any] = field(default_factory=lambda: np.empty(0, np.int64))
    """Whole numbers or text; empty if the task reads no labels."""
    animated: tuple[str, ...] = ()
    """Names of pictures with several frames."""


@dataclass(frozen=True)
class JoinedImages:
    """The images of all parts, in one file, and their labels."""

    images: RawImages
    labels: NDArray[Any]


def join_parts(
    tasks: Sequence[Callable[[], DecodedPart]],
    path: Path,
    context: Context,
    *,
    size: tuple[int, int],
    channels: Channels,
    needed: int,
) -> JoinedImages:
    """Run tasks on the engine, and write their images to one file, in the order of the tasks.

    Warns about pictures with several frames.

    Args:
        size: height and width of the images.
        channels: as for `spool_images`, also for the file of each part.
        needed: approximate size of the file in bytes.
    """
    labels: list[NDArray[Any]] = []
    animated: list[str] = []
    conversion = None
    with spool_images(path, height=size[0], width=size[1], channels=channels, needed=needed) as spool:
        for part in context.engine.run(tasks, context.termination.check):
            for chunk in part.images.chunks():
                spool.append(chunk)
            part.images.path.unlink()
            labels.append(part.labels)
            animated += part.animated
            conversion = part.images.conversion if conversion is None else conversion | part.images.conversion
    if animated:
        context.progress.warning(with_addresses(first_frame_only(animated)))
    images = spool.images()
    if conversion is not None:
        images = replace(images, conversion=images.conversion | conversion)
    return JoinedImages(images, np.concatenate(labels))


def part_path(path: Path, number: int) -> Path:
    """Return the path of a part; the parts are joined in the file `path`."""
    return path.with_name(f"{path.name}-part-{number:05}")

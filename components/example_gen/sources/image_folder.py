"""A folder with one subfolder of pictures per class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.base.component import Context
from components.base.errors import DataError
from components.base.hashing import value_sha256
from components.base.text import is_utf8
from components.example_gen.sources.base import Dataset, SourceConfig, check_class_name
from components.io.files import catch_read_errors, data_sha256
from components.io.picture_folder import SkippedFiles, is_picture
from components.io.pictures import PICTURE, read_picture, resize_picture
from components.object_storage import Location, UserLocation, open_local

if TYPE_CHECKING:
    from components.example_gen.sources.decoded_parts import DecodedPart
    from components.io.raw_images import LabelledImages

TASK_PICTURES = 200
"""Number of pictures that a task decodes: a few tenths of a second of work if they are small."""
LAYOUT = "a folder with one subfolder of pictures per class"


class ImageFolderSource(SourceConfig):
    """One folder per class; images of any size are resized."""

    kind: Literal["image_folder"] = "image_folder"
    """Selects this source."""
    path: UserLocation
    """The folder of class folders, or its URL in object storage; the folder names are the class names."""
    test_path: UserLocation | None = None
    """The folder of test images, with the same class names, if there is one."""
    size: Annotated[int, Field(strict=True, ge=1, le=1024)] = 28
    """Height and width that every image is resized to, in pixels."""

    def identity(self) -> dict[str, str]:
        identity = {"size": str(self.size)}
        for part, root in (("train", self.path), ("test", self.test_path)):
            if root is not None:
                # As a list, because the order of classes and files decides labels and rows.
                digests = [
                    [name, [[file.name, data_sha256(file, PICTURE)] for file in files]]
                    for name, files in _fetch_classes(root, SkippedFiles()).items()
                ]
                identity[part] = value_sha256(digests)
        return identity

    def load(self, context: Context, scratch: Path) -> Dataset:
        skipped = SkippedFiles()
        classes = _fetch_classes(self.path, skipped)
        test = None
        if self.test_path is not None:
            test_classes = _fetch_classes(self.test_path, skipped)
            if list(test_classes) != list(classes):
                differing = sorted(set(test_classes) ^ set(classes))
                raise DataError(
                    f"{self.path} and {self.test_path} do not have the same classes: {', '.join(differing[:5])}",
                    expected="the same folder names in both",
                    remedy="add the missing class folder, or remove the other one",
                )
            test = self._load_classes(test_classes, context, scratch / "test")
        if skipped:
            context.progress.warning(f"{self.path}: {skipped}")
        return Dataset("image folder", tuple(classes), self._load_classes(classes, context, scratch / "train"), test)

    def _load_classes(self, classes: dict[str, list[Path]], context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.example_gen.sources.decoded_parts import join_parts, part_path
        from components.io.raw_images import LabelledImages

        files = [file for files in classes.values() for file in files]
        tasks = [
            partial(decode_pictures, files[first : first + TASK_PICTURES], part_path(scratch, first), self)
            for first in range(0, len(files), TASK_PICTURES)
        ]
        side = self.size
        needed = len(files) * side**2
        joined = join_parts(tasks, scratch, context, size=(side, side), channels=self.channels, needed=needed)
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in classes.values()])
        return LabelledImages(joined.images, labels)


def decode_pictures(files: Sequence[Path], path: Path, source: ImageFolderSource) -> DecodedPart:
    """Write the resized images of picture files to a file."""
    from components.example_gen.sources.decoded_parts import DecodedPart
    from components.io.raw_images import spool_images

    side, animated = source.size, []
    with spool_images(path, height=side, width=side, channels=source.channels) as spool:
        for file in files:
            picture = read_picture(file)
            if picture.has_more_frames:
                animated.append(str(file))
            image = resize_picture(picture.image, side, side)
            spool.append(image[None], resized_from=[(picture.image.height, picture.image.width)])
    return DecodedPart(spool.images(), animated=tuple(animated))


def _fetch_classes(location: Location, skipped: SkippedFiles) -> dict[str, list[Path]]:
    """Return the pictures of each class folder, on this machine."""
    local = open_local(location)
    classes = list_classes(local.path, skipped)
    local.fetch(file for files in classes.values() for file in files)
    return classes


def list_classes(root: Path, skipped: SkippedFiles) -> dict[str, list[Path]]:
    """Return the pictures of each class folder, in a fixed order: numbers by value, then names."""
    with catch_read_errors(root, LAYOUT):
        entries = skipped.exclude_system_files(root.iterdir())
        folders = [entry for entry in entries if entry.is_dir()]
    for entry in set(entries) - set(folders):
        skipped.add(entry.name)
    folders.sort(key=lambda folder: (not folder.name.isdecimal(), folder.name.zfill(20), folder.name))
    if len(folders) < 2:
        raise DataError(
            f"{root} has {len(folders)} class folder{'' if len(folders) == 1 else 's'}",
            expected=f"{LAYOUT}, at least two classes",
            remedy="put the images of each class into a separate folder",
        )
    return {folder.name: _list_pictures(folder, skipped) for folder in folders}


def _list_pictures(folder: Path, skipped: SkippedFiles) -> list[Path]:
    check_class_name(folder.name)
    pictures = []
    with catch_read_errors(folder, "a folder of pictures"):
        for entry in skipped.exclude_system_files(folder.iterdir()):
            if is_picture(entry.name) and not entry.is_dir():
                pictures.append(entry)
            else:
                skipped.add(entry.name)
    if not_text := next((file for file in pictures if not is_utf8(file.name)), None):
        expected = "file names in UTF-8, which identify the data"
        raise DataError(f"the name of {not_text} is not UTF-8", expected=expected, remedy="rename the file")
    if not pictures:
        raise DataError(
            f"{folder} has no picture",
            expected="at least one image in every class folder",
            remedy="add images, or remove the folder",
        )
    return pictures

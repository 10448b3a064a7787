"""One folder a class, of PNG or JPEG files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.base.errors import DataError
from components.base.hashing import file_sha256
from components.example_gen.sources.base import Dataset, SourceConfig
from components.io.files import catch_read_errors
from components.io.pictures import PICTURE_SUFFIXES, read_picture, to_grayscale

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.base.component import Context
    from components.io.raw_images import LabelledImages

LAYOUT = "a folder with one folder a class, each of PNG or JPEG files"


class ImageFolderSource(SourceConfig):
    """One folder a class; images of any size are made grey and resized to one."""

    kind: Literal["image_folder"] = "image_folder"
    """Which source this is."""
    path: Path
    """The folder of class folders; a class is named as its folder."""
    test_path: Path | None = None
    """The same for test images, with the same class names, if there is one."""
    size: Annotated[int, Field(strict=True, ge=1, le=1024)] = 28
    """Height and width that every image is resized to, in pixels."""

    def identity(self) -> dict[str, str]:
        identity = {"size": str(self.size)}
        for name, root in (("train", self.path), ("test", self.test_path)):
            if root is not None:
                digest = hashlib.sha256()
                for class_name, files in list_classes(root).items():
                    for file in files:
                        with catch_read_errors(file, "a PNG or JPEG file"):
                            digest.update(os.fsencode(f"{class_name}/{file.name}:{file_sha256(file)}\n"))
                identity[name] = digest.hexdigest()
        return identity

    def load(self, context: Context, scratch: Path) -> Dataset:
        classes = list_classes(self.path)
        test = None
        if self.test_path is not None:
            test_classes = list_classes(self.test_path)
            if list(test_classes) != list(classes):
                odd = sorted(set(test_classes) ^ set(classes))
                raise DataError(
                    f"{self.path} and {self.test_path} do not have the same classes: {', '.join(odd[:5])}",
                    expected="the same folder names in both",
                    remedy="add the missing class folder or take the other one away",
                )
            test = self._load_classes(test_classes, context, scratch / "test")
        return Dataset(
            title="image folder",
            class_names=tuple(classes),
            train=self._load_classes(classes, context, scratch / "train"),
            test=test,
        )

    def _load_classes(self, classes: dict[str, list[Path]], context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.raw_images import LabelledImages, spool_images

        files = [file for files in classes.values() for file in files]
        with spool_images(scratch, height=self.size, width=self.size, needed=len(files) * self.size**2) as spool:
            for file in files:
                context.termination.check()
                spool.append(read_image(file, self.size))
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in classes.values()])
        return LabelledImages(spool.images(), labels)


def list_classes(root: Path) -> dict[str, list[Path]]:
    """Return the image files of each class folder, in a fixed order: numbers by value, then names.

    Raises:
        DataError: if the folder is missing, has fewer than two class folders, or one has no image.
    """
    with catch_read_errors(root, LAYOUT):
        folders = [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    folders.sort(key=lambda folder: (not folder.name.isdecimal(), folder.name.zfill(20), folder.name))
    if len(folders) < 2:
        raise DataError(
            f"{root} has {len(folders)} class folder{'' if len(folders) == 1 else 's'}",
            expected=f"{LAYOUT}, two classes at least",
            remedy="put the images of each class into a folder of its own",
        )
    classes = {}
    for folder in folders:
        with catch_read_errors(folder, "a folder of PNG or JPEG files"):
            files = sorted(
                file
                for file in folder.iterdir()
                if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")
            )
        if not files:
            raise DataError(
                f"{folder} has no PNG or JPEG file",
                expected="at least one image in every class folder",
                remedy="add images, or take the folder away",
            )
        classes[folder.name] = files
    return classes


def read_image(path: Path, size: int) -> NDArray[np.uint8]:
    """Read one image, upright, grey (ITU-R 601 luma), on white where it is clear, and resized to uint8 [size, size]."""
    return to_grayscale(read_picture(path), size, size)

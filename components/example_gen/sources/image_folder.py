"""A folder with one subfolder of PNG or JPEG files per class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.base.component import Context
from components.base.errors import DataError
from components.base.hashing import value_sha256
from components.base.paths import UserPath
from components.example_gen.sources.base import Dataset, SourceConfig
from components.io.files import catch_read_errors, data_sha256
from components.io.pictures import PICTURE_SUFFIXES, read_picture, to_grayscale

if TYPE_CHECKING:
    from components.io.raw_images import LabelledImages

LAYOUT = "a folder with one subfolder of PNG or JPEG files per class"


class ImageFolderSource(SourceConfig):
    """One folder per class; images of any size are converted to grayscale and resized."""

    kind: Literal["image_folder"] = "image_folder"
    """Selects this source."""
    path: UserPath
    """The folder of class folders; the folder names are the class names."""
    test_path: UserPath | None = None
    """The folder of test images, with the same class names, if there is one."""
    size: Annotated[int, Field(strict=True, ge=1, le=1024)] = 28
    """Height and width that every image is resized to, in pixels."""

    def identity(self) -> dict[str, str]:
        identity = {"size": str(self.size)}
        for part, root in (("train", self.path), ("test", self.test_path)):
            if root is not None:
                # As a list, because the order of classes and files decides labels and rows.
                digests = [
                    [name, [[file.name, data_sha256(file, "a PNG or JPEG file")] for file in files]]
                    for name, files in list_classes(root).items()
                ]
                identity[part] = value_sha256(digests)
        return identity

    def load(self, context: Context, scratch: Path) -> Dataset:
        classes = list_classes(self.path)
        test = None
        if self.test_path is not None:
            test_classes = list_classes(self.test_path)
            if list(test_classes) != list(classes):
                differing = sorted(set(test_classes) ^ set(classes))
                raise DataError(
                    f"{self.path} and {self.test_path} do not have the same classes: {', '.join(differing[:5])}",
                    expected="the same folder names in both",
                    remedy="add the missing class folder, or remove the other one",
                )
            test = self._load_classes(test_classes, context, scratch / "test")
        return Dataset("image folder", tuple(classes), self._load_classes(classes, context, scratch / "train"), test)

    def _load_classes(self, classes: dict[str, list[Path]], context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.raw_images import LabelledImages, spool_images

        files = [file for files in classes.values() for file in files]
        with spool_images(scratch, height=self.size, width=self.size, needed=len(files) * self.size**2) as spool:
            for file in files:
                context.termination.check()
                spool.append(to_grayscale(read_picture(file), self.size, self.size))
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in classes.values()])
        return LabelledImages(spool.images(), labels)


def list_classes(root: Path) -> dict[str, list[Path]]:
    """Return the image files of each class folder, in a fixed order: numbers by value, then names."""
    with catch_read_errors(root, LAYOUT):
        folders = [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    folders.sort(key=lambda folder: (not folder.name.isdecimal(), folder.name.zfill(20), folder.name))
    if len(folders) < 2:
        raise DataError(
            f"{root} has {len(folders)} class folder{'' if len(folders) == 1 else 's'}",
            expected=f"{LAYOUT}, at least two classes",
            remedy="put the images of each class into a separate folder",
        )
    classes = {}
    for folder in folders:
        with catch_read_errors(folder, "a folder of PNG or JPEG files"):
            pictures = (file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
            classes[folder.name] = sorted(file for file in pictures if not file.name.startswith("."))
        if not classes[folder.name]:
            raise DataError(
                f"{folder} has no PNG or JPEG file",
                expected="at least one image in every class folder",
                remedy="add images, or remove the folder",
            )
    return classes

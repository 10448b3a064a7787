"""Which files hold images, of what kind they are, and how many there are in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import DataError
from components.example_gen.sources.csv import ENCODING
from components.example_gen.sources.idx import GZIP, opened
from components.io.files import reading
from components.io.pictures import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

IDX = b"\x00\x00\x08"
PNG, JPEG = b"\x89PNG", b"\xff\xd8"
IDX_IMAGES = ("idx3-ubyte", "idx3-ubyte.gz")
KINDS = "a PNG or JPEG file, an IDX file of images (plain or .gz), a .csv file of pixels, or a folder of such images"


def kind_of(path: Path) -> str:
    """Return what a file is, by its first bytes and by its name: `picture`, `idx` or `csv`.

    Raises:
        DataError: if it is missing, cannot be read, or is nothing of these.
    """
    with reading(path, KINDS):
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is not a regular file", expected=KINDS, remedy="write it to a file first")
        with path.open("rb") as file:
            begins = file.read(4)
    if begins.startswith((IDX, GZIP)) or path.name.endswith(IDX_IMAGES):
        return "idx"
    if begins.startswith((PNG, JPEG)) or path.suffix.lower() in ENDINGS:
        return "picture"
    if path.suffix.lower() == ".csv":
        return "csv"
    raise DataError(f"{path} is of no kind that can be read", expected=KINDS, remedy="convert it, or take it away")


def find_files(path: Path) -> list[Path | DataError]:
    """Return the images below a folder, in a fixed order: PNG, JPEG and IDX, by their names; a file as it is.

    CSV files have to be named themselves: a folder of images often has one that says something of them. Links to
    folders are not followed. A folder below that cannot be read is an error in its place, and the others are found.

    Raises:
        DataError: if the path cannot be looked at, or there is no image in the folder.
    """
    found: list[Path | DataError] = []

    def refused(error: OSError) -> None:
        found.append(
            DataError(
                f"no image of {error.filename} can be found: {error.strerror}",
                expected="a folder that can be read",
                remedy="let the user that runs the job read it",
            )
        )

    with reading(path, "a folder of images"):
        if not path.is_dir():
            return [path]
        for folder, folders, names in os.walk(path, onerror=refused):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [Path(folder, name) for name in sorted(names) if _is_image(name)]
    if not found:
        raise DataError(
            f"{path} has no PNG, JPEG or IDX file of images",
            expected=KINDS,
            remedy="add images, or name another folder",
        )
    return found


def _is_image(name: str) -> bool:
    return not name.startswith(".") and (Path(name).suffix.lower() in ENDINGS or name.endswith(IDX_IMAGES))


def count_images(files: Iterable[Path]) -> int:
    """Return about how many images some files have, for a progress bar, and quickly."""
    return sum(map(_count, files))


def _count(path: Path) -> int:
    try:
        kind = "picture" if path.suffix.lower() in ENDINGS else kind_of(path)
        if kind == "idx":
            with opened(path, dimensions=3) as idx:
                return max(1, idx.shape[0])
        if kind == "csv":
            with path.open(encoding=ENCODING, errors="replace") as file:
                return max(1, sum(1 for _ in file) - 1)
    except (DataError, OSError):
        pass  # to be told when it is its turn
    return 1

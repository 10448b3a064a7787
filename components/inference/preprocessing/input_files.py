"""Find the input files of `predict`, detect their format, and count their images."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Self

from components.base.errors import DataError
from components.base.text import MESSAGE_LIMIT, printable
from components.io.csv_layout import detect_layout, open_text
from components.io.files import catch_read_errors, open_decompressed
from components.io.idx import IMAGES, UNSIGNED_BYTES, open_idx
from components.io.picture_folder import SkippedFiles, is_picture

CSV_SUFFIXES = (".csv", ".csv.gz")
PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of PNG, JPEG, BMP, GIF, TIFF (twice) and WebP."""
IDX_IMAGE_SUFFIXES = tuple(f"idx{number}-ubyte{ending}" for number in IMAGES for ending in ("", ".gz"))
READABLE_INPUTS = (
    "a picture (PNG, JPEG, BMP, GIF, TIFF or WebP), an IDX file of images or a CSV file of pixels (plain or .gz), "
    "or a folder of images"
)


class UnreadableError(DataError):
    """An image, or a file or folder of images, that cannot be read."""

    path: Path
    row: int | None = None
    """Index of the image in a file of several; None for a whole file, or the rest of one."""
    reason: str
    """Why, without the path and the row."""
    is_rest: bool = True
    """Whether nothing more of the file can be read."""

    @classmethod
    def of(cls, error: DataError, path: Path) -> Self:
        """Return the error of a file or folder, or of the rest of a file."""
        made = cls(error.headline, expected=error.expected, remedy=error.remedy)
        made.path = path
        made.reason = made.headline.replace(printable(str(path), limit=MESSAGE_LIMIT), "", 1).strip(" ,:")
        return made

    @classmethod
    def of_image(cls, error: DataError, path: Path, row: int | None) -> Self:
        """Return the error of an image that shows nothing; `row` is its index in a file of several."""
        reason, where = f"shows no digit: {error.headline}", f"{path}" if row is None else f"{path}, row {row},"
        made = cls(f"{where} {reason}", expected=error.expected, remedy=error.remedy)
        made.path, made.row, made.reason, made.is_rest = path, row, reason, False
        return made


def file_format(path: Path) -> Literal["picture", "idx", "csv"]:
    """Detect the format of a file from its first bytes and its name, or raise DataError."""
    name = path.name.lower()
    if name.endswith(CSV_SUFFIXES):
        return "csv"
    with open_decompressed(path, READABLE_INPUTS) as file, catch_read_errors(path, READABLE_INPUTS):
        magic = file.read(4)
    if magic.startswith(UNSIGNED_BYTES) or name.endswith(IDX_IMAGE_SUFFIXES):
        return "idx"
    if magic.startswith(PICTURE_MAGIC) or is_picture(name):
        return "picture"
    raise DataError(f"{path} has an unsupported format", expected=READABLE_INPUTS, remedy="convert or remove it")


def find_files(path: Path, skipped: SkippedFiles) -> list[Path | UnreadableError]:
    """Return the pictures and IDX files below a folder, sorted by name; a file is returned as it is.

    CSV files in folders are skipped, because folders of images often contain a CSV file about them; name a CSV file
    itself to read it. Links to folders are not followed. A subfolder that cannot be read has an error in the list.
    """
    found: list[Path | UnreadableError] = []

    def add_error(error: OSError) -> None:
        folder = Path(os.fsdecode(error.filename))
        problem = f"{folder} cannot be searched for images: {error.strerror}"
        remedy = "give the user that runs the job read permission"
        found.append(
            UnreadableError.of(DataError(problem, expected="a folder that can be read", remedy=remedy), folder)
        )

    with catch_read_errors(path, "a folder of images"):
        if not path.is_dir():
            return [path]
        for folder, subfolders, names in os.walk(path, onerror=add_error):
            subfolders[:] = [entry.name for entry in skipped.exclude_system_files(map(Path, subfolders))]
            for entry in skipped.exclude_system_files(Path(folder, name) for name in names):
                if is_picture(entry.name) or entry.name.endswith(IDX_IMAGE_SUFFIXES):
                    found.append(entry)
                else:
                    skipped.add(entry.name)
    if not found:
        raise DataError(
            f"{path} has no picture or IDX file of images",
            expected=READABLE_INPUTS,
            remedy="add images, or name another folder",
        )
    return found


def find_inputs(paths: Iterable[Path], warn: Callable[[str], None]) -> list[Path | UnreadableError]:
    """Return the files of images in some files and folders, in order; what cannot be searched is an error.

    `warn` is called about files that are skipped in folders.
    """
    found: list[Path | UnreadableError] = []
    for path in paths:
        skipped = SkippedFiles()
        try:
            found += find_files(path, skipped)
        except DataError as error:
            found.append(UnreadableError.of(error, path))
        if skipped:
            warn(f"{path}: {skipped}")
    return found


def count_images(files: Iterable[Path | UnreadableError]) -> int:
    """Return the approximate number of images in some files, quickly, for a progress bar."""
    return sum(_count(file) if isinstance(file, Path) else 1 for file in files)


def _count(path: Path) -> int:
    try:
        format_ = "picture" if is_picture(path.name) else file_format(path)
        if format_ == "idx":
            with open_idx(path, dimensions=IMAGES) as idx:
                return max(1, idx.shape[0])
        if format_ == "csv":
            header = detect_layout(path).lines_before_data
            with open_text(path, errors="replace") as file:
                return max(1, sum(1 for _ in file) - header)
    except (DataError, OSError):
        pass  # reported when the file is read
    return 1

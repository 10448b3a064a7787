"""Input files: their identity, and whether they have changed since it was computed."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from components.base.errors import DataError
from components.inference.preprocessing.input_files import READABLE_INPUTS, UnreadableError, find_inputs
from components.io.files import data_sha256

InputFile = Path | UnreadableError


class InputFiles:
    """The image files that are named by paths of files and folders."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._statuses: dict[Path, int] = {}

    def find(self, warn: Callable[[str], None]) -> list[InputFile]:
        """Return the files in order; `warn` is called for files in folders that are skipped."""
        return find_inputs(self._paths, warn)

    def identity(self) -> dict[str, int | str]:
        """Return the number of files and their bytes, and the SHA-256 of their paths and contents.

        For a file that cannot be read, the reason is part of the SHA-256.
        """
        digest, files, size = hashlib.sha256(), self.find(_ignore), 0
        for file in files:
            path, content = (file.path, file.headline) if isinstance(file, UnreadableError) else (file, "")
            if not content:
                self._statuses.setdefault(path, _status(path))
                try:
                    content = data_sha256(path, READABLE_INPUTS)
                    size += path.stat().st_size
                except (DataError, OSError) as error:
                    content = str(error)
            digest.update(json.dumps([str(path), content]).encode())
        return {"files": len(files), "bytes": size, "sha256": digest.hexdigest()}

    def check_unchanged(self, files: Iterable[InputFile]) -> None:
        """Raise DataError if the status of a file has changed since the file was hashed."""
        for file in files:
            if isinstance(file, Path) and self._statuses.get(file, 0) not in (0, _status(file)):
                raise DataError(
                    f"{file} changed while it was read",
                    expected="the same images until the command ends",
                    remedy="run it again when no other program writes to them; nothing was sealed",
                )


def utf8(text: object) -> str:
    r"""Return a text, such as a path, with escapes for the bytes that are not UTF-8.

    >>> print(utf8("a\udcff.png"))
    a\udcff.png
    """
    return str(text).encode("utf-8", "backslashreplace").decode()


def _status(path: Path) -> int:
    """Return a number that changes with the content of the file; one number, because there may be millions of files."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return 1
    return hash((found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)) or 1


def _ignore(text: str) -> None: ...

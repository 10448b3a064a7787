"""The files of a servable: copied, and told apart by a digest."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.hashing import file_sha256, value_sha256
from components.pusher.metadata import STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIRECTORY = "servable"
"""What an artifact calls the directory of a version that is to be published."""
MODEL = "saved_model.pb"
"""The file by which TensorFlow takes a directory for a SavedModel."""


def list_files(directory: Path) -> list[str]:
    """Return every file below a directory, relative to it with `/`, in a fixed order; links are followed.

    Raises:
        OSError: if a folder cannot be read.
    """
    found = (Path(folder, name) for folder, _, names in _walk(directory) for name in names)
    return sorted(path.relative_to(directory).as_posix() for path in found)


def content_digest(directory: Path) -> str:
    """Return the SHA-256 over names and contents of the files that are served, the statements left out.

    Raises:
        OSError: if something cannot be read.
    """
    served = (name for name in list_files(directory) if name not in STATEMENTS)
    return value_sha256({name: file_sha256(directory / name) for name in served})


def copy_files(source: Path, target: Path, check: Callable[[], None] = lambda: None) -> None:
    """Copy what is in a directory into a new one: contents only, so that modes and times are the new one's own.

    Args:
        source: the directory.
        target: the new one.
        check: called before each file; what it raises ends the copying.

    Raises:
        OSError: if something cannot be read or written.
    """
    target.mkdir()
    for folder, folders, names in _walk(source):
        here = target / Path(folder).relative_to(source)
        for name in folders:
            (here / name).mkdir()
        for name in names:
            check()
            shutil.copyfile(Path(folder, name), here / name)


def let_read(directory: Path, like: Path) -> None:
    """Let those read what is below a directory, itself included, who may read another one, whatever the umask."""
    may = stat.S_IMODE(like.stat().st_mode)
    for folder, _, names in _walk(directory):
        _allow(Path(folder), may & 0o055)
        for name in names:
            _allow(Path(folder, name), may & 0o044)


def _allow(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode | bits != mode:
        path.chmod(mode | bits)


def size_of(directory: Path) -> int:
    """Return the bytes of all files below a directory.

    Raises:
        OSError: if a folder cannot be read.
    """
    return sum((directory / name).stat().st_size for name in list_files(directory))


def _walk(directory: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    return os.walk(directory, onerror=_refuse, followlinks=True)


def _refuse(error: OSError) -> None:
    """Raise what `os.walk` would pass over: of what cannot be seen nothing is to be said."""
    raise error

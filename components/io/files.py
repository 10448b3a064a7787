"""Opening and hashing of the files that a user names, with readable errors."""

import errno
import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from components.base.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
NON_BLOCKING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""Flags with which a FIFO without a writer opens at once, and a terminal does not become the job's."""


@contextmanager
def catch_read_errors(path: Path, expected: str) -> Iterator[None]:
    """Raise a DataError for any OSError of a block that reads `path`, which should be, say, "a folder of IDX files".

    The error of a broken gzip file becomes a DataError too.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        match error:
            case FileNotFoundError():
                headline, remedy = f"{path} does not exist", "correct the path, or mount the folder that contains it"
            case PermissionError():
                headline, remedy = f"no permission to read {path}", "give the user that runs the job read permission"
            case IsADirectoryError() | NotADirectoryError():
                headline, remedy = f"{path} is not {expected}: {error.strerror}", "correct the path"
            case OSError(errno=errno.ENXIO):
                headline, remedy = f"{path} is a socket or a device", "write its content to a file first"
            case gzip.BadGzipFile() | EOFError() | zlib.error():
                headline, remedy = f"{path} is a broken gzip file: {error}", "copy or download the file again"
            case _:
                headline, remedy = f"{path} cannot be read: {error.strerror or error}", "check the disk and the file"
        raise DataError(headline, expected=expected, remedy=remedy) from error


def open_regular(path: Path, expected: str) -> BufferedReader:
    """Open a regular file, or a link to one, for reading.

    Raises:
        DataError: if the file cannot be opened, or is a folder, FIFO, device or socket; a read of these may never end.
    """
    with catch_read_errors(path, expected):
        file = open(path, "rb", opener=lambda name, _: os.open(name, NON_BLOCKING))  # noqa: SIM115
    # The open file, because another one may have replaced it under its name.
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        kind = "FIFO" if stat.S_ISFIFO(mode) else "device"
        raise DataError(f"{path} is a {kind}", expected=expected, remedy="write its content to a file first")
    return file


@contextmanager
def open_decompressed(path: Path, expected: str) -> Iterator[BufferedReader | gzip.GzipFile]:
    """Open a regular file for reading, and decompress it if it begins as a gzip file; its name does not matter."""
    with open_regular(path, expected) as file:
        with catch_read_errors(path, expected):
            gzipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
        if not gzipped:
            yield file
        else:
            with gzip.GzipFile(fileobj=file) as decompressed:
                yield decompressed


def data_sha256(path: Path, expected: str = "a file of data") -> str:
    """Return the SHA-256 of a file of data, in hexadecimal; raise DataError if it is not a regular file."""
    with open_regular(path, expected) as file, catch_read_errors(path, expected):
        return hashlib.file_digest(file, "sha256").hexdigest()

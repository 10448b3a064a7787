"""Readable errors for files that a user names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.base.errors import DataError


@contextmanager
def catch_read_errors(path: Path, expected: str) -> Iterator[None]:
    """Raise a DataError for any OSError of a block that reads `path`, which should be, say, "a folder of IDX files"."""
    try:
        yield
    except OSError as error:
        match error:
            case FileNotFoundError():
                headline, remedy = f"{path} does not exist", "correct the path, or mount the folder that contains it"
            case PermissionError():
                headline, remedy = f"no permission to read {path}", "give the user that runs the job read permission"
            case IsADirectoryError() | NotADirectoryError():
                headline, remedy = f"{path} is not {expected}: {error.strerror}", "correct the path"
            case _:
                headline, remedy = f"{path} cannot be read: {error.strerror or error}", "check the disk and the file"
        raise DataError(headline, expected=expected, remedy=remedy) from error

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
    except FileNotFoundError as error:
        headline, remedy = f"{path} does not exist", "correct the path, or mount the folder that contains it"
        raise DataError(headline, expected=expected, remedy=remedy) from error
    except PermissionError as error:
        headline, remedy = f"no permission to read {path}", "give the user that runs the job read permission"
        raise DataError(headline, expected=expected, remedy=remedy) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        headline = f"{path} is not {expected}: {error.strerror}"
        raise DataError(headline, expected=expected, remedy="correct the path") from error
    except OSError as error:
        headline = f"{path} cannot be read: {error.strerror or error}"
        raise DataError(headline, expected=expected, remedy="check the disk and the file") from error

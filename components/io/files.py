"""Reading files that a user named, with the system's refusals told in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.base.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn the operating system's refusals while `path` is read into a DataError.

    Args:
        path: the file or folder being read.
        what: what it should be, such as "a folder of IDX files".
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist",
            expected=what,
            remedy="correct the path, or mount the folder that has it",
        ) from error
    except PermissionError as error:
        raise DataError(
            f"no permission to read {path}", expected=what, remedy="let the user that runs the job read it"
        ) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path} is not {what}: {error.strerror}", expected=what, remedy="correct the path") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            expected=what,
            remedy="check the disk and the file",
        ) from error

"""The folder that models are pushed to: written as a path, and seen to be usable before anything runs."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from components.base.errors import ConfigError
from components.runtime.disk import DISK_FULL_ERRNOS, nearest_existing

if TYPE_CHECKING:
    from components.base.errors import JobError

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def as_folder(value: object) -> str:
    """Return the path of a folder, with `~` at its beginning replaced by the home folder.

    >>> as_folder(Path("serving") / "mnist")
    'serving/mnist'

    Raises:
        ValueError: if it is no path, or of no user.
    """
    path = os.fspath(value) if isinstance(value, str | Path) else ""
    if not path:
        raise ValueError("the path of a folder is expected, such as serving/mnist")
    if ADDRESS.match(path):
        raise ValueError(f"{path} is an address; the path of a folder is expected, into which that may be mounted")
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise ValueError(f"there is no home folder for {path}") from error


Given = Annotated[str, Field(min_length=1)]
Destination = Annotated[str, BeforeValidator(as_folder, json_schema_input_type=Given)]


def check_destination(destination: Path) -> None:
    """See that models can be pushed to a folder, without making it.

    Raises:
        ConfigError: if it, or the nearest of its parents that is there, is no folder, or cannot be written to.
    """
    nowhere = (path for path in (destination, *destination.parents) if _leads_nowhere(path))
    if (link := next(nowhere, None)) is not None:
        raise _unusable(destination, link, "is a link that leads nowhere")
    there = nearest_existing(destination)
    if not there.is_dir():
        raise _unusable(destination, there, "is not a folder")
    wanted = os.R_OK | os.W_OK | os.X_OK if there == destination.absolute() else os.W_OK | os.X_OK
    if not os.access(there, wanted):
        raise _unusable(destination, there, "may not be written to" if os.access(there, os.R_OK) else "may not be read")
    try:
        with tempfile.TemporaryFile(dir=there):  # without a name, where the file system allows that
            pass
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:  # there may be room by then
            raise _unusable(destination, there, f"cannot be written to ({error.strerror})") from error


def _leads_nowhere(path: Path) -> bool:
    # pathlib's own raise where a folder on the way may not be entered.
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114


def _unusable(destination: Path, which: Path, why: str) -> JobError:
    name = "it" if which.absolute() == destination.absolute() else which
    return ConfigError(
        f"cannot push to {destination}: {name} {why}",
        expected="a folder that the job may read and write, or one that it can make",
        remedy="name another as pusher.destination, or give permission",
    )

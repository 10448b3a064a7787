"""Destination: the folder that models are pushed to, checked before a run starts."""

import os
from pathlib import Path

from components.base.errors import ConfigError
from components.runtime.disk import DISK_FULL_ERRNOS, nearest_existing
from components.runtime.locks import check_locks


def check_destination(destination: Path) -> None:
    """Raise ConfigError if a folder, or its nearest existing parent, is not a folder or cannot be written to.

    Raises:
        ResourceError: if its file system has no locks.
    """
    for path in (destination, *destination.parents):
        # pathlib's own methods raise where a parent folder may not be entered.
        if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114
            raise _cannot_push(destination, path, "is a broken link")
    parent = nearest_existing(destination)
    if not parent.is_dir():
        raise _cannot_push(destination, parent, "is not a folder")
    needed = os.R_OK | os.W_OK | os.X_OK if parent == destination.absolute() else os.W_OK | os.X_OK
    if not os.access(parent, needed):
        denied = "write" if os.access(parent, os.R_OK) else "read"
        raise _cannot_push(destination, parent, f"has no {denied} permission for this user")
    try:
        check_locks(parent)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:  # there may be space when the model is pushed
            raise _cannot_push(destination, parent, f"cannot be written to ({error.strerror})") from error


def _cannot_push(destination: Path, path: Path, problem: str) -> ConfigError:
    name = "it" if path.absolute() == destination.absolute() else path
    return ConfigError(
        f"cannot push to {destination}: {name} {problem}",
        expected="a folder that the job may read and write, or may create",
        remedy="set pusher.destination to another folder, or give permission",
    )

"""The folders that the job and its libraries write to, checked before a run needs them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import ExitCode, JobError, first_line
from components.base.paths import parse_path
from components.object_storage import Location
from components.object_storage.settings import storage_settings
from components.runtime.disk import nearest_existing
from job.reporters.termination_log import VARIABLE as TERMINATION_LOG_VARIABLE
from job.store.file_system import check_file_system

CACHES = {
    "matplotlib": ("MPLCONFIGDIR", "~/.config/matplotlib"),
    "keras": ("KERAS_HOME", "~/.keras"),
    "datasets": ("TFDS_DATA_DIR", "~/tensorflow_datasets"),
    "cuda cache": ("CUDA_CACHE_PATH", "~/.nv/ComputeCache"),
}
"""Caches of libraries: the environment variable with the folder, and the default folder."""
TEMPORARY = "temporary files"
CACHE = "object cache"
MOUNT = "mount a writable folder there, as `docker run --tmpfs /tmp` does"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder or file that the job or a library writes to."""

    name: str
    path: str  # empty if there is none
    needed: bool  # whether the job fails without it
    free_bytes: int | None = None  # None if it cannot be used
    failure: str = ""  # why it cannot be used, in one line; empty if it can
    remedy: str = ""
    exit_code: ExitCode = ExitCode.USAGE  # of a run that fails for it


def check_places(root: Location) -> Iterator[Place]:
    """Yield the root, the folder for temporary files, the caches and the termination log, each checked.

    Of a root in object storage, the local cache is checked.
    """
    yield check_root(root) if isinstance(root, Path) else check_root(storage_settings().cache_folder, name=CACHE)
    try:
        temporary = tempfile.gettempdir()
    except OSError as error:
        yield Place(name=TEMPORARY, path="", needed=True, failure=error.strerror or "", remedy=MOUNT)
    else:
        yield check_writable(TEMPORARY, Path(temporary), needed=True)
    for name, (variable, default) in CACHES.items():
        path = os.environ.get(variable) or default
        try:
            yield check_writable(name, parse_path(path))
        except ValueError as error:  # such as `~` of a user without a home folder
            yield Place(name=name, path=path, needed=False, failure=first_line(error), remedy=MOUNT)
    if log := os.environ.get(TERMINATION_LOG_VARIABLE):
        yield check_writable("termination log", Path(log))


def check_root(root: Path, *, name: str = "root") -> Place:
    """Check in the root, or where it would be created, what the store requires: locks, links, and renaming folders."""
    try:
        check_file_system(nearest_existing(root))
        return check_writable(name, root, needed=True)
    except JobError as error:
        return Place(
            name=name,
            path=str(root),
            needed=True,
            failure=error.headline,
            remedy=error.remedy,
            exit_code=error.exit_code,
        )


def check_writable(name: str, path: Path, *, needed: bool = False) -> Place:
    """Check by its permissions whether a file or folder can be written or created."""
    existing = nearest_existing(path)
    if os.access(existing, os.W_OK | os.X_OK if existing.is_dir() else os.W_OK):
        return Place(name=name, path=str(path), needed=needed, free_bytes=shutil.disk_usage(existing).free)
    return Place(name=name, path=str(path), needed=needed, failure=f"cannot write to {path}", remedy=MOUNT)

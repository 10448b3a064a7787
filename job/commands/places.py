"""The places that the job, and the libraries below it, write to: tried before they are needed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import JobError, first_line
from components.io.atomic import flush
from components.runtime.disk import nearest_existing
from components.runtime.locks import acquire
from job.reporters.termination_log import VARIABLE as TERMINATION_LOG
from job.store.store import ensure_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHES = {
    "matplotlib": ("MPLCONFIGDIR", "~/.config/matplotlib"),
    "keras": ("KERAS_HOME", "~/.keras"),
    "datasets": ("TFDS_DATA_DIR", "~/tensorflow_datasets"),
    "cuda cache": ("CUDA_CACHE_PATH", "~/.nv/ComputeCache"),
}
"""What libraries keep, with the environment variable that says where, and where it is without one."""
TEMPORARY = "temporary files"
MOUNT = "mount a folder that the user may write to, as `docker run --tmpfs /tmp` does"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place that the job, or a library below it, writes to.

    Attributes:
        name: what for.
        path: where; empty if there is none.
        needed: whether the job fails without it.
        free_bytes: what is free there; None if it cannot be used.
        failure: why it cannot be used, in one line; empty if it can.
        remedy: what to do about it.
    """

    name: str
    path: str
    needed: bool
    free_bytes: int | None = None
    failure: str = ""
    remedy: str = ""


def look_at_places(root: Path) -> Iterator[Place]:
    """Yield the places that the job and the libraries below it write to, tried out."""
    yield look_at_root(root)
    try:
        temporary = tempfile.gettempdir()
    except OSError as error:
        yield Place(name=TEMPORARY, path="", needed=True, failure=error.strerror or "", remedy=MOUNT)
    else:
        yield look_at(TEMPORARY, Path(temporary), needed=True)
    for name, (variable, default) in CACHES.items():
        path = os.environ.get(variable) or default
        try:
            yield look_at(name, Path(path).expanduser())
        except RuntimeError as error:  # a user without a home
            yield Place(name=name, path=path, needed=False, failure=first_line(error), remedy=MOUNT)
    if log := os.environ.get(TERMINATION_LOG):
        yield look_at("last word", Path(log))


def look_at_root(root: Path) -> Place:
    """Do in the root what the store rests on: lock, link, and rename a folder; leave nothing there."""
    probe = root / f".doctor-{secrets.token_hex(4)}"
    missing = nearest_existing(root) != root.absolute()
    try:
        ensure_writable(root)
        (probe / "made").mkdir(parents=True)
        (probe / "link").symlink_to("made")
        (probe / "made").rename(probe / "sealed")
        with acquire(probe / "lock"):
            flush(probe)
        return look_at("root", root, needed=True)
    except JobError as error:
        return Place(name="root", path=str(root), needed=True, failure=error.headline, remedy=error.remedy)
    except (OSError, NotImplementedError) as error:
        return Place(
            name="root",
            path=str(root),
            needed=True,
            failure=f"the file system of {root} lacks locks, links or renames: {first_line(error)}",
            remedy="keep the root on a disk, or on NFS; object stores mounted as folders lack these",
        )
    finally:
        shutil.rmtree(probe, ignore_errors=True)
        if missing:  # it was only tried
            with suppress(OSError):
                root.rmdir()


def look_at(name: str, path: Path, *, needed: bool = False) -> Place:
    """Return whether a file or folder can be written to, or made, without doing so."""
    there = nearest_existing(path)
    if os.access(there, os.W_OK | os.X_OK if there.is_dir() else os.W_OK):
        return Place(name=name, path=str(path), needed=needed, free_bytes=shutil.disk_usage(there).free)
    return Place(name=name, path=str(path), needed=needed, failure=f"{path} cannot be written to", remedy=MOUNT)

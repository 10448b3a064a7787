"""What the store requires of a root's file system: permission to write, locks, links, and renaming of folders."""

import secrets
import shutil
from pathlib import Path

from components.base.errors import ConfigError, ResourceError, first_line
from components.runtime.disk import DISK_FULL_ERRNOS, disk_full_error
from components.runtime.locks import check_locks


def check_file_system(root: Path) -> None:
    """Create a root if it does not exist, and check that the store can work in it. Nothing else is left there.

    Raises:
        ConfigError: if it cannot be written to.
        ResourceError: if its file system lacks locks, links or renames.
        StorageError: if the disk is full.
    """
    ensure_writable(root)
    check_locks(root)
    probe = root / f".probe-{secrets.token_hex(4)}"
    try:
        (probe / "folder").mkdir(parents=True)
        (probe / "link").symlink_to("folder")
        (probe / "folder").rename(probe / "renamed")
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise disk_full_error(root) from error
        raise ResourceError(
            f"the file system of {root} lacks links or renames: {first_line(error)}",
            expected="a local disk, or a network file system that has them",
            remedy="name another root with --root; object stores mounted as folders lack these",
        ) from error
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def ensure_writable(folder: Path) -> None:
    """Create a folder if it does not exist, and check that it is writable."""
    probe = folder / f".writable-{secrets.token_hex(4)}"  # not the process id, which is always 1 in containers
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.touch()
        finally:  # also after a signal
            probe.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise disk_full_error(folder) from error
        remedy = "name another root with --root, or give the user of the job permission"
        raise ConfigError.not_writable(f"the root at {folder}", error, remedy=remedy) from error

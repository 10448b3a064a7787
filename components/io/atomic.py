"""Atomic writes: readers see the old content or the new content, never a part of it.

Each function writes under a temporary name, flushes the data to the disk and renames once. A crash leaves at most a
temporary file, never a damaged one under the final name.
"""

import os
import secrets
import shutil
from pathlib import Path

from components.runtime.disk import disk_space_guard


def write_atomically(path: Path, content: str | bytes, *, what: str = "the file") -> None:
    """Create or replace a file, whose folder must exist; if that fails, an existing file stays as it is.

    Raises:
        StorageError: if the disk is full; its message calls the file `what`.
        OSError: if the folder is not writable.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    # A fixed name: the next write replaces what a killed process left.
    draft = path.with_name(f".{path.name}")
    with disk_space_guard(path.parent, len(data), what):
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def replace_link(link: Path, target: Path) -> None:
    """Create a symbolic link to `target`, or replace the one that exists, in one step."""
    draft = link.with_name(f".{link.name}-{secrets.token_hex(4)}")
    draft.symlink_to(target)
    draft.replace(link)


def link_or_copy(source: Path, target: Path) -> None:
    """Create a hard link to a file; copy it if the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def flush_tree(path: Path) -> None:
    """Flush a file, or a folder with everything below it, to the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            flush(Path(folder, name))
        flush(Path(folder))
    if not path.is_dir():
        flush(path)


def rename_durably(source: Path, target: Path) -> None:
    """Rename a file or folder within one file system, and flush the target's folder so that the rename survives."""
    source.rename(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Flush one file, or the entries of one folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Hashed files: a change is found by the status of a file, and a file without one is not hashed again."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from components.base.hashing import file_sha256
from job.store.hashed_file import CLOCK_STEP_NS, HashedFile, walk


def settled(path: Path) -> HashedFile:
    time.sleep(2 * CLOCK_STEP_NS / 1e9)
    return HashedFile.hash(path)


def test_unchanged_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    known = settled(path)
    monkeypatch.setattr("job.store.hashed_file.file_sha256", lambda _: pytest.fail("it is hashed"))
    assert HashedFile.hash(path, known) is known


def test_file_that_was_just_written_is_hashed_again(tmp_path: Path) -> None:
    """A change within the same step of the clock does not change its status, unless the kernel is newer than 6.12."""
    path = tmp_path / "file"
    path.write_bytes(b"after")
    just_written = dataclasses.replace(settled(path), sha256="0" * 64, settled=False)  # of "before"
    assert HashedFile.hash(path, just_written).sha256 == file_sha256(path)
    os.utime(path, (time.time() + 60, time.time() + 60))
    assert not HashedFile.hash(path).settled, "the two clocks may differ"


def test_change_with_restored_times_is_found(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"before")
    known, before = settled(path), path.stat()
    path.write_bytes(b"after!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert HashedFile.hash(path, known).sha256 != known.sha256
    other.write_bytes(b"behind")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert HashedFile.hash(path, known).sha256 == file_sha256(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_folder_that_cannot_be_read_is_not_skipped(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0)
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            list(walk(tmp_path))
    finally:
        os.seteuid(0)

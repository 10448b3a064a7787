"""Hashed files: a change is found by the status of a file, and a file without one is not hashed again."""

import os
import time
from pathlib import Path

import pytest

from components.base.hashing import file_sha256
from job.store.hashed_file import CLOCK_STEP_NS, HashedFile


def settled(path: Path) -> HashedFile:
    time.sleep(2 * CLOCK_STEP_NS / 1e9)
    return HashedFile.hash(path)


def test_unchanged_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    known = settled(path)
    monkeypatch.setattr("job.store.hashed_file.file_sha256", lambda _: pytest.fail("it is hashed"))
    assert HashedFile.hash(path, known) is known


def test_change_within_one_step_of_the_clock_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for _ in range(100):
        path.write_bytes(b"before")
        known = HashedFile.hash(path)
        with path.open("r+b") as file:
            file.write(b"after!")
        assert HashedFile.hash(path, known).sha256 == file_sha256(path) != known.sha256


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

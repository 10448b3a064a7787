"""Atomic writes: the old file stays if a write fails, and nothing else remains."""

import errno
import os
from pathlib import Path

import pytest

from components.base.errors import StorageError
from components.io.atomic import flush_tree, rename_durably, replace_link, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_text_and_bytes(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "ä\n")
    assert (tmp_path / "file").read_bytes() == "ä\n".encode()
    write_atomically(tmp_path / "file", b"\xff")
    assert (tmp_path / "file").read_bytes() == b"\xff"
    assert names(tmp_path) == ["file"]


def test_replaces_what_a_killed_write_left(tmp_path: Path) -> None:
    (tmp_path / ".file").write_text("half")
    write_atomically(tmp_path / "file", "whole")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "full"), StorageError),
        (OSError(errno.EIO, "bad disk"), OSError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_keeps_the_old_file_if_a_write_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: type[BaseException]
) -> None:
    (tmp_path / "file").write_text("old")

    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(raised):
        write_atomically(tmp_path / "file", "new", what="the record")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_replaces_a_link(tmp_path: Path) -> None:
    for target in ("first", "second"):
        replace_link(tmp_path / "latest", Path(target))
        assert (tmp_path / "latest").readlink() == Path(target)
    assert names(tmp_path) == ["latest"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux provides the path of a file descriptor")
def test_flushes_every_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "draft/inner").mkdir(parents=True)
    (tmp_path / "draft/inner/file").touch()
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink())))
    flush_tree(tmp_path / "draft")
    assert sorted(flushed) == [str(tmp_path / path) for path in ("draft", "draft/inner", "draft/inner/file")]
    flushed.clear()
    rename_durably(tmp_path / "draft", tmp_path / "final")
    assert flushed == [str(tmp_path)]
    assert names(tmp_path) == ["final"]

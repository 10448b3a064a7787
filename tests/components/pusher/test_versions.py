"""Versions: published completely and once, never changed, with the permissions of the destination."""

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.base.errors import ConfigError, IntegrityError, JobError
from components.pusher.metadata import STATEMENT_FILE
from components.pusher.publish import publish
from components.pusher.rollback import previous_version
from components.pusher.servable import servable_digest
from components.pusher.version_store import list_versions
from components.pusher.versions import LARGEST_VERSION
from components.runtime.locks import acquire
from tests.components.pusher.support import bytes_below, make_servable, names, push, pushed, roll_back, served
from tests.support.progress import RecordingProgress


def test_each_model_gets_the_next_number(tmp_path: Path) -> None:
    assert [pushed(tmp_path, name).number for name in "abc"] == [1, 2, 3]
    assert names(tmp_path / "served") == ["1", "2", "3"]
    for number, name in enumerate("abc", start=1):
        assert bytes_below(tmp_path / "served" / str(number)) == bytes_below(tmp_path / "made" / name)


def test_does_not_publish_the_same_content_again(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    again = push(tmp_path, "a")
    assert again.version is not None
    assert (again.new, again.version.number, again.served.number) == (False, 1, 2)
    assert served(tmp_path / "served") == ["a", "b"]


def test_a_new_verdict_does_not_make_a_new_version(tmp_path: Path) -> None:
    push(tmp_path, "a")
    judged = make_servable(tmp_path / "judged", "a", accuracy=0.5)
    assert not publish(judged, tmp_path / "served", digest=servable_digest(judged), progress=RecordingProgress()).new


def test_replaces_a_served_version_that_was_changed(tmp_path: Path) -> None:
    push(tmp_path, "a")
    (tmp_path / "served/1/saved_model.pb").write_text("something else")
    listener = RecordingProgress()
    again = push(tmp_path, "a", listener)
    assert again.version == again.served
    assert (again.new, again.served.number) == (True, 2)
    assert listener.warnings == [
        f"{tmp_path / 'served/1'} was changed after it was published; the model is pushed again"
    ]


def test_keeps_a_changed_version_that_is_not_served(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    (tmp_path / "served/1/.DS_Store").touch()
    listener = RecordingProgress()
    again = push(tmp_path, "a", listener)
    assert (again.new, again.served.number) == (False, 2)
    assert served(tmp_path / "served") == ["a", "b"]
    (warning,) = listener.warnings
    assert "it is not served, and nothing is pushed" in warning


def test_replaces_a_changed_copy_despite_a_complete_original(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    roll_back(tmp_path / "served")
    (tmp_path / "served/3/saved_model.pb").write_text("something else")
    assert pushed(tmp_path, "a").number == 4
    (tmp_path / "served/2").rename(tmp_path / "away")
    assert push(tmp_path, "b").version is None, "it is still known what was rolled back from"


def test_does_not_publish_a_damaged_servable(tmp_path: Path) -> None:
    servable = make_servable(tmp_path / "made", "a")
    digest = servable_digest(servable)
    (servable / "saved_model.pb").write_text("cut sho")
    with pytest.raises(IntegrityError):
        publish(servable, tmp_path / "served", digest=digest, progress=RecordingProgress())
    assert names(tmp_path / "served") == []


def test_the_next_number_is_above_all_numeric_names(tmp_path: Path) -> None:
    for name in ("00000123", "124.old", ".staging", "a", "-7", "0" * 22 + "140", "+145"):
        (tmp_path / "served" / name).mkdir(parents=True)
    (tmp_path / "served" / "150").touch()  # a file: no version here, but the server would try it
    assert pushed(tmp_path, "a").number == 151
    assert [version.number for version in list_versions(tmp_path / "served")] == [123, 140, 145, 151]
    (tmp_path / "served" / str(LARGEST_VERSION)).mkdir()
    with pytest.raises(ConfigError, match="the largest possible number"):
        push(tmp_path, "b")


def test_removed_versions_are_not_rolled_back_to(tmp_path: Path) -> None:
    for name in "abc":
        push(tmp_path, name)
    (tmp_path / "served/2").rename(tmp_path / "away")
    versions = list_versions(tmp_path / "served")
    assert ([version.number for version in versions], previous_version(versions).number) == ([1, 3], 1)
    assert pushed(tmp_path, "b").number == 4


def test_foreign_files_do_not_block_a_push(tmp_path: Path) -> None:
    push(tmp_path, "a")
    foreign = tmp_path / "served/5"
    foreign.mkdir()
    (foreign / "x").symlink_to("/nowhere")
    (tmp_path / "served/.staging-left").touch()
    assert pushed(tmp_path, "b").number == 6
    assert names(tmp_path / "served") == ["1", "5", "6"]
    with pytest.raises(ConfigError, match="5/x cannot be used: No such file"):
        roll_back(tmp_path / "served", 5)
    assert roll_back(tmp_path / "served", 1).served.number == 7


def test_a_push_does_not_read_foreign_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_servable(tmp_path / "served/1", "theirs")
    (tmp_path / "served/1" / STATEMENT_FILE).unlink()
    push(tmp_path, "a")
    read: list[Path] = []

    def digest(directory: Path) -> str:
        read.append(directory)
        return servable_digest(directory)

    monkeypatch.setattr("components.pusher.local_versions.servable_digest", digest)
    assert not push(tmp_path, "a").new
    assert pushed(tmp_path, "b").number == 3
    assert {path for path in read if path.name.isdigit()} == {tmp_path / "served/2"}, "which may be this very model"


def test_a_lock_file_is_writable_for_other_users(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with acquire(tmp_path / "lock"):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o666
    finally:
        os.umask(before)


def test_a_copy_has_default_modes_and_times(tmp_path: Path) -> None:
    file = make_servable(tmp_path / "made/a", "a") / "saved_model.pb"
    file.chmod(0o500)
    os.utime(file, (0, 0))
    copy = (tmp_path / "served" / str(pushed(tmp_path, "a").number) / "saved_model.pb").stat()
    assert stat.S_IMODE(copy.st_mode) & 0o500 == 0o400
    assert copy.st_mtime > 0


def test_versions_are_as_readable_as_the_destination(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir(mode=0o755)
    before = os.umask(0o077)
    try:
        version = pushed(tmp_path, "a")
    finally:
        os.umask(before)
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in [Path(str(version.directory)), *Path(str(version.directory)).rglob("*")]
    }
    assert modes == {0o755, 0o644}


def test_a_temporary_os_error_is_not_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(path: Path) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))

    monkeypatch.setattr("components.io.atomic.flush", stale)
    with pytest.raises(JobError, match="Stale file handle") as raised:
        push(tmp_path, "a")
    assert raised.value.exit_code == 1
    assert names(tmp_path / "served") == []


def test_files_are_flushed_before_the_version_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("components.io.atomic.flush", lambda path: flushed.append(path.name))
    version = Path(str(pushed(tmp_path, "a").directory))
    files = {path.name for path in version.rglob("*") if path.is_file()}
    assert files | {"variables", "assets.extra"} <= set(flushed)
    assert flushed[-1] == "served", "the rename itself"


def test_a_version_has_its_time_of_publication(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= pushed(tmp_path, "a").published <= datetime.now(UTC)

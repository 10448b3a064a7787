"""Versions: published whole and once, never changed, for those to read who may."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.base.errors import ConfigError, IntegrityError, JobError
from components.pusher.metadata import STATEMENT_FILE
from components.pusher.publish import publish
from components.pusher.servable import servable_digest
from components.pusher.versions import LARGEST_VERSION, list_versions, served_history
from components.runtime.locks import acquire
from tests.components.pusher.support import Listener, bytes_below, make_servable, names, push, pushed, roll_back, served


def test_each_model_is_the_next_number_and_nothing_else_is_left(tmp_path: Path) -> None:
    assert [pushed(tmp_path, name).number for name in "abc"] == [1, 2, 3]
    assert names(tmp_path / "served") == ["1", "2", "3"]
    for number, name in enumerate("abc", start=1):
        assert bytes_below(tmp_path / "served" / str(number)) == bytes_below(tmp_path / "made" / name)


def test_what_is_there_is_not_published_again(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    again = push(tmp_path, "a")
    assert again.version is not None
    assert (again.new, again.version.number, again.served.number) == (False, 1, 2)
    assert served(tmp_path / "served") == ["a", "b"]


def test_a_model_that_was_judged_anew_is_the_same_model(tmp_path: Path) -> None:
    push(tmp_path, "a")
    judged = make_servable(tmp_path / "judged", "a", accuracy=0.5)
    assert not publish(judged, tmp_path / "served", digest=servable_digest(judged), progress=Listener()).new


def test_what_is_served_is_pushed_anew_if_it_was_changed_and_that_is_told(tmp_path: Path) -> None:
    push(tmp_path, "a")
    (tmp_path / "served/1/saved_model.pb").write_text("something else")
    told = Listener()
    again = push(tmp_path, "a", told)
    assert again.version == again.served
    assert (again.new, again.served.number) == (True, 2)
    assert told.warnings == [
        f"{tmp_path / 'served/1'} was changed after it was published; the model is pushed again",
    ]


def test_what_was_changed_and_is_not_served_stays_so(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    (tmp_path / "served/1/.DS_Store").touch()
    told = Listener()
    again = push(tmp_path, "a", told)
    assert (again.new, again.served.number) == (False, 2)
    assert served(tmp_path / "served") == ["a", "b"]
    (warning,) = told.warnings
    assert "it is not served, and nothing is pushed" in warning


def test_a_changed_copy_that_is_served_is_pushed_anew_though_the_original_is_whole(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    roll_back(tmp_path / "served")
    (tmp_path / "served/3/saved_model.pb").write_text("something else")
    assert pushed(tmp_path, "a").number == 4
    (tmp_path / "served/2").rename(tmp_path / "away")
    assert push(tmp_path, "b").version is None, "it is still known what was rolled back from"


def test_what_is_damaged_is_not_published(tmp_path: Path) -> None:
    servable = make_servable(tmp_path / "made", "a")
    digest = servable_digest(servable)
    (servable / "saved_model.pb").write_text("cut sho")
    with pytest.raises(IntegrityError):
        publish(servable, tmp_path / "served", digest=digest, progress=Listener())
    assert names(tmp_path / "served") == []


def test_the_next_number_is_above_all_that_a_server_could_take_for_a_version(tmp_path: Path) -> None:
    for name in ("00000123", "124.old", ".staging", "a", "-7", "0" * 22 + "140", "+145"):
        (tmp_path / "served" / name).mkdir(parents=True)
    (tmp_path / "served" / "150").touch()  # a file: no version here, but the server would try it
    assert pushed(tmp_path, "a").number == 151
    assert [version.number for version in list_versions(tmp_path / "served")] == [123, 140, 145, 151]
    (tmp_path / "served" / str(LARGEST_VERSION)).mkdir()
    with pytest.raises(ConfigError, match="the largest possible number"):
        push(tmp_path, "b")


def test_what_is_in_use_after_versions_were_removed_goes_by_those_that_are_left(tmp_path: Path) -> None:
    for name in "abc":
        push(tmp_path, name)
    (tmp_path / "served/2").rename(tmp_path / "away")
    assert [version.number for version in served_history(list_versions(tmp_path / "served"))] == [1, 3]
    assert pushed(tmp_path, "b").number == 4


def test_what_somebody_else_put_there_holds_no_push_up(tmp_path: Path) -> None:
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


def test_a_push_does_not_look_into_what_somebody_else_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_servable(tmp_path / "served/1", "theirs")
    (tmp_path / "served/1" / STATEMENT_FILE).unlink()
    push(tmp_path, "a")
    read: list[Path] = []

    def digest(directory: Path) -> str:
        read.append(directory)
        return servable_digest(directory)

    monkeypatch.setattr("components.pusher.versions.servable_digest", digest)
    assert not push(tmp_path, "a").new
    assert pushed(tmp_path, "b").number == 3
    assert read == [tmp_path / "served/2"], "which may be this very model"


def test_a_lock_that_a_killed_process_left_keeps_no_other_user_out(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with acquire(tmp_path / "lock"):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o666
    finally:
        os.umask(before)


def test_a_copy_has_modes_and_times_of_its_own(tmp_path: Path) -> None:
    file = make_servable(tmp_path / "made/a", "a") / "saved_model.pb"
    file.chmod(0o500)
    os.utime(file, (0, 0))
    copy = (pushed(tmp_path, "a").directory / "saved_model.pb").stat()
    assert stat.S_IMODE(copy.st_mode) & 0o500 == 0o400
    assert copy.st_mtime > 0


def test_who_may_read_the_destination_may_read_the_versions(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir(mode=0o755)
    before = os.umask(0o077)
    try:
        version = pushed(tmp_path, "a")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [version.directory, *version.directory.rglob("*")]}
    assert modes == {0o755, 0o644}


def test_a_refusal_that_may_be_over_the_next_time_is_no_mistake_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(path: Path) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))

    monkeypatch.setattr("components.io.atomic.flush", stale)
    with pytest.raises(JobError, match="Stale file handle") as told:
        push(tmp_path, "a")
    assert told.value.exit_code == 1
    assert names(tmp_path / "served") == []


def test_what_is_published_was_brought_to_the_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("components.io.atomic.flush", lambda path: flushed.append(path.name))
    version = pushed(tmp_path, "a").directory
    files = {path.name for path in version.rglob("*") if path.is_file()}
    assert files | {"variables", "assets.extra"} <= set(flushed)
    assert flushed[-1] == "served", "the rename itself"


def test_a_version_says_when_it_was_published(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= pushed(tmp_path, "a").published <= datetime.now(UTC)

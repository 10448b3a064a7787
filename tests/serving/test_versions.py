"""Versions: published whole and once, never changed, and rolled back by adding one."""

from __future__ import annotations

import errno
import json
import os
import stat
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from components.errors import ConfigError, IntegrityError, JobError, TerminationError
from components.runtime.locks import hold
from components.serving import rolling_back
from components.serving.content import content_digest
from components.serving.publishing import publish
from components.serving.statements import ROLLED_BACK, STATEMENT
from components.serving.versions import LARGEST, in_use, list_versions
from components.termination import NoTermination
from tests.serving.support import Listener, make_servable, push, pushed, roll_back, served


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
    assert not publish(judged, tmp_path / "served", digest=content_digest(judged), progress=Listener()).new


def test_what_is_served_is_pushed_anew_if_it_was_changed_and_that_is_told(tmp_path: Path) -> None:
    push(tmp_path, "a")
    (tmp_path / "served/1/saved_model.pb").write_text("something else")
    told = Listener()
    again = push(tmp_path, "a", told)
    assert again.version == again.served
    assert (again.new, again.served.number) == (True, 2)
    assert told.warnings == [
        f"{tmp_path / 'served/1'} was changed after it was published; the model is pushed anew",
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
    digest = content_digest(servable)
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
    (tmp_path / "served" / str(LARGEST)).mkdir()
    with pytest.raises(ConfigError, match="the largest that there can be"):
        push(tmp_path, "b")


def test_what_was_rolled_back_from_is_not_pushed_again_though_its_version_is_gone(tmp_path: Path) -> None:
    for name in "abc":
        push(tmp_path, name)
    for _ in "12":
        roll_back(tmp_path / "served")
    assert served(tmp_path / "served") == ["a", "b", "c", "b", "a"]
    for bad in "234":
        (tmp_path / "served" / bad).rename(tmp_path / f"away-{bad}")
    for name in "bc":
        told = Listener()
        again = push(tmp_path, name, told)
        assert (again.version, again.new, again.served.number) == (None, False, 5)
        (warning,) = told.warnings
        assert f"the model is not pushed: {tmp_path / 'served/5'} was rolled back from it" in warning
    assert pushed(tmp_path, "d").number == 6
    assert pushed(tmp_path, "b").number == 7, "what was pushed since ends it"


@pytest.mark.parametrize(
    ("done", "then_served"),
    [
        ("abc<", "abcb"),
        ("abc<<", "abcba"),  # not back to c, which was rolled back from
        ("abc<d<", "abcbdb"),
        ("abc<d<<", "abcbdba"),
        ("abc1<", "abca"),  # nothing was in use before a
        ("abc13<", "abcaca"),  # forward again, and back
        ("aba<", "aba"),  # a was there already: b is served
        ("ab<b", "aba"),  # run again, a job does not undo a rollback
    ],
)
def test_rolling_back_leads_to_the_model_that_was_in_use_before(tmp_path: Path, done: str, then_served: str) -> None:
    for what in done:
        if what == "<":
            try:
                roll_back(tmp_path / "served")
            except ConfigError as error:
                assert "nothing to roll back to" in error.headline  # noqa: PT017
        elif what.isdigit():
            roll_back(tmp_path / "served", int(what))
        else:
            push(tmp_path, what)
    assert "".join(served(tmp_path / "served")) == then_served


def test_what_is_in_use_after_versions_were_removed_goes_by_those_that_are_left(tmp_path: Path) -> None:
    for name in "abc":
        push(tmp_path, name)
    (tmp_path / "served/2").rename(tmp_path / "away")
    assert [version.number for version in in_use(list_versions(tmp_path / "served"))] == [1, 3]
    assert pushed(tmp_path, "b").number == 4


def test_rolling_back_adds_a_copy_and_changes_nothing(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    before = bytes_below(tmp_path / "served")
    done = roll_back(tmp_path / "served")
    assert (done.version.number, done.to.number, done.before.number) == (3, 1, 2)
    after = bytes_below(tmp_path / "served")
    assert {name: content for name, content in after.items() if not name.startswith("3/")} == before
    copy = bytes_below(tmp_path / "served/3")
    assert json.loads(copy.pop(ROLLED_BACK))["content_sha256"] == [done.before.digest]
    assert copy == bytes_below(tmp_path / "served/1")


def test_a_version_that_somebody_else_made_can_be_rolled_back_to(tmp_path: Path) -> None:
    (tmp_path / "served/1700000000/variables").mkdir(parents=True)
    (tmp_path / "served/1700000000/saved_model.pb").write_text("model of theirs")
    assert pushed(tmp_path, "a").number == 1700000001
    assert roll_back(tmp_path / "served").version.servable is None
    assert served(tmp_path / "served") == ["theirs", "a", "theirs"]


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (9, "has no version 9"),
        (2, "version 2 is served already"),
        (1, "1 was changed after it was published"),
    ],
)
def test_what_cannot_be_rolled_back_to_is_told_and_nothing_is_added(tmp_path: Path, to: int, says: str) -> None:
    for name in "ab":
        push(tmp_path, name)
    (tmp_path / "served/1/saved_model.pb").write_text("something else")
    with pytest.raises((ConfigError, IntegrityError), match=says):
        roll_back(tmp_path / "served", to)
    assert names(tmp_path / "served") == ["1", "2"]


def test_there_must_be_versions_to_roll_back(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        roll_back(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(ConfigError, match="has no versions"):
        roll_back(tmp_path)


def test_what_is_no_saved_model_is_neither_pushed_nor_rolled_back_to(tmp_path: Path) -> None:
    servable = make_servable(tmp_path / "made/empty", "empty")
    (servable / "saved_model.pb").unlink()
    with pytest.raises(ConfigError, match=r"has no saved_model\.pb"):
        push(tmp_path, "empty")
    (tmp_path / "served/1").mkdir()
    (tmp_path / "served/1/notes.txt").touch()
    push(tmp_path, "a")
    with pytest.raises(ConfigError, match="nothing to roll back to"):
        roll_back(tmp_path / "served")
    with pytest.raises(ConfigError, match=r"1 has no saved_model\.pb"):
        roll_back(tmp_path / "served", 1)
    (tmp_path / "served/3").mkdir()  # newest, but no server can load it
    done = roll_back(tmp_path / "served")
    assert (done.version.number, done.to.number) == (4, 2)
    assert [version.damage for version in list_versions(tmp_path / "served")] == [
        "has no saved_model.pb",
        "",
        "has no saved_model.pb",
        "",
    ]


def test_what_cannot_be_read_is_not_rolled_back_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        push(tmp_path, name)
    hide(monkeypatch, tmp_path / "served/1/variables")
    with pytest.raises(ConfigError, match=f"{tmp_path / 'served/1/variables'} cannot be used: Permission denied"):
        roll_back(tmp_path / "served")
    assert names(tmp_path / "served") == ["1", "2"]
    assert list_versions(tmp_path / "served")[0].damage == "cannot be read (Permission denied)"


def hide(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a folder not be listed, as it is for whoever has no permission; root, as who tests often run, always has."""
    really = os.scandir

    def scan(path: str) -> Any:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return really(path)

    monkeypatch.setattr("os.scandir", scan)


def test_nothing_changes_beside_a_version_of_which_nothing_can_be_known(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    statement = tmp_path / "served/1" / STATEMENT
    statement.unlink()
    statement.symlink_to(statement)  # which no permission helps against
    for attempt in (roll_back, lambda _: push(tmp_path, "a")):
        with pytest.raises(JobError, match=f"{statement} cannot be used: Too many levels"):
            attempt(tmp_path / "served")
    assert names(tmp_path / "served") == ["1", "2"]


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
    assert roll_back(tmp_path / "served", 1).version.number == 7


def test_a_push_does_not_look_into_what_somebody_else_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_servable(tmp_path / "served/1", "theirs")
    (tmp_path / "served/1" / STATEMENT).unlink()
    push(tmp_path, "a")
    read: list[Path] = []

    def digest(directory: Path) -> str:
        read.append(directory)
        return content_digest(directory)

    monkeypatch.setattr("components.serving.versions.content_digest", digest)
    assert not push(tmp_path, "a").new
    assert pushed(tmp_path, "b").number == 3
    assert read == [tmp_path / "served/2"], "which may be this very model"


def test_a_lock_that_a_killed_process_left_keeps_no_other_user_out(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with hold(tmp_path / "lock"):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o666
    finally:
        os.umask(before)


def test_links_and_empty_folders_are_copied_whole(tmp_path: Path) -> None:
    theirs = make_servable(tmp_path / "theirs", "theirs")
    version = tmp_path / "served/1"
    (version / "assets").mkdir(parents=True)
    (version / "variables").symlink_to(theirs / "variables")
    (version / "saved_model.pb").symlink_to(theirs / "saved_model.pb")
    push(tmp_path, "a")
    copy = roll_back(tmp_path / "served").version.directory
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    assert (copy / "assets").is_dir()
    assert bytes_below(copy) == {
        name: content for name, content in bytes_below(theirs).items() if name != STATEMENT
    } | {ROLLED_BACK: (copy / ROLLED_BACK).read_bytes()}


def test_a_copy_has_modes_and_times_of_its_own(tmp_path: Path) -> None:
    file = make_servable(tmp_path / "made/a", "a") / "saved_model.pb"
    file.chmod(0o500)
    os.utime(file, (0, 0))
    copy = (pushed(tmp_path, "a").directory / "saved_model.pb").stat()
    assert stat.S_IMODE(copy.st_mode) & 0o500 == 0o400
    assert copy.st_mtime > 0


def test_a_damaged_copy_that_is_served_can_be_rolled_back_to_its_original(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    damaged = roll_back(tmp_path / "served").version
    (damaged.directory / "saved_model.pb").write_text("something else")
    assert roll_back(tmp_path / "served", 1).version.number == 4
    assert served(tmp_path / "served") == ["a", "b", "else", "a"]


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

    monkeypatch.setattr("components.serving.appending.flush", stale)
    with pytest.raises(JobError, match="Stale file handle") as told:
        push(tmp_path, "a")
    assert told.value.exit_code == 1
    assert names(tmp_path / "served") == []


def test_what_is_published_was_brought_to_the_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("components.serving.appending.flush", lambda path: flushed.append(path.name))
    version = pushed(tmp_path, "a").directory
    files = {path.name for path in version.rglob("*") if path.is_file()}
    assert files | {"variables", "assets.extra"} <= set(flushed)
    assert flushed[-1] == "served", "the rename itself"


def test_a_version_says_when_it_was_published(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= pushed(tmp_path, "a").published <= datetime.now(UTC)


def test_a_rollback_that_was_asked_to_end_changes_nothing(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    for moment in count():
        asked = EndsAt(moment)
        try:
            done = rolling_back.roll_back(tmp_path / "served", None, progress=Listener(), termination=asked)
        except TerminationError:
            assert names(tmp_path / "served") == ["1", "2"]
        else:
            break
    assert moment > 3, "it looks before each file, and last before the rename"
    assert done.version.number == 3


def test_a_rollback_looks_last_before_the_step_that_changes_what_is_served(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)

    class EndsWhenAllIsCopied(NoTermination):
        def check(self) -> None:
            if list((tmp_path / "served").glob(f".staging-*/{ROLLED_BACK}")):
                raise TerminationError("the job was asked to end")

    with pytest.raises(TerminationError):
        rolling_back.roll_back(tmp_path / "served", None, progress=Listener(), termination=EndsWhenAllIsCopied())
    assert names(tmp_path / "served") == ["1", "2"]


class EndsAt(NoTermination):
    """Asks to end after some looks at it."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TerminationError("the job was asked to end")

"""Rollback: adds a copy of the version that was served before, and lasts until the next push."""

import errno
import json
import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import ConfigError, IntegrityError, JobError, TerminationError
from components.base.termination import NoTermination
from components.pusher import rollback
from components.pusher.metadata import ROLLBACK_FILE, STATEMENT_FILE
from components.pusher.version_store import list_versions
from tests.components.pusher.support import bytes_below, make_servable, names, push, pushed, roll_back, served
from tests.support.progress import RecordingProgress


def test_a_rolled_back_model_is_not_pushed_again(tmp_path: Path) -> None:
    for name in "abc":
        push(tmp_path, name)
    for _ in "12":
        roll_back(tmp_path / "served")
    assert served(tmp_path / "served") == ["a", "b", "c", "b", "a"]
    for bad in "234":
        (tmp_path / "served" / bad).rename(tmp_path / f"away-{bad}")
    for name in "bc":
        listener = RecordingProgress()
        again = push(tmp_path, name, listener)
        assert (again.version, again.new, again.served.number) == (None, False, 5)
        (warning,) = listener.warnings
        assert f"the model is not pushed: {tmp_path / 'served/5'} was rolled back from it" in warning
    assert pushed(tmp_path, "d").number == 6
    assert pushed(tmp_path, "b").number == 7, "another push ends the rollback"


@pytest.mark.parametrize(
    ("done", "then_served"),
    [
        ("abc<", "abcb"),
        ("abc<<", "abcba"),  # not to c, which was rolled back from
        ("abc<d<", "abcbdb"),
        ("abc<d<<", "abcbdba"),
        ("abc1<", "abca"),  # nothing was served before a
        ("abc13<", "abcaca"),  # forward again, and back
        ("aba<", "aba"),  # a was there already: b is served
        ("ab<b", "aba"),  # run again, a job does not undo a rollback
    ],
)
def test_rolls_back_to_the_model_that_was_served_before(tmp_path: Path, done: str, then_served: str) -> None:
    for action in done:
        if action == "<":
            try:
                roll_back(tmp_path / "served")
            except ConfigError as error:
                assert "nothing to roll back to" in error.headline  # noqa: PT017
        elif action.isdigit():
            roll_back(tmp_path / "served", int(action))
        else:
            push(tmp_path, action)
    assert "".join(served(tmp_path / "served")) == then_served


def test_a_rollback_adds_a_copy_and_changes_nothing_else(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    before = bytes_below(tmp_path / "served")
    done = roll_back(tmp_path / "served")
    assert (done.served.number, done.served.copy_of, done.before.number) == (3, 1, 2)
    after = bytes_below(tmp_path / "served")
    assert {name: content for name, content in after.items() if not name.startswith("3/")} == before
    copy = bytes_below(tmp_path / "served/3")
    assert json.loads(copy.pop(ROLLBACK_FILE))["content_sha256"] == [done.before.content_sha256]
    assert copy == bytes_below(tmp_path / "served/1")


def test_can_roll_back_to_a_foreign_version(tmp_path: Path) -> None:
    (tmp_path / "served/1700000000/variables").mkdir(parents=True)
    (tmp_path / "served/1700000000/saved_model.pb").write_text("model of theirs")
    assert pushed(tmp_path, "a").number == 1700000001
    assert roll_back(tmp_path / "served").served.servable is None
    assert served(tmp_path / "served") == ["theirs", "a", "theirs"]


@pytest.mark.parametrize(
    ("to", "message"),
    [(9, "has no version 9"), (2, "version 2 is served already"), (1, "1 was changed after it was published")],
)
def test_a_refused_rollback_adds_nothing(tmp_path: Path, to: int, message: str) -> None:
    for name in "ab":
        push(tmp_path, name)
    (tmp_path / "served/1/saved_model.pb").write_text("something else")
    with pytest.raises((ConfigError, IntegrityError), match=message):
        roll_back(tmp_path / "served", to)
    assert names(tmp_path / "served") == ["1", "2"]


def test_a_rollback_needs_versions(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        roll_back(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(ConfigError, match="has no versions"):
        roll_back(tmp_path)


def test_directories_without_a_saved_model_are_refused(tmp_path: Path) -> None:
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
    assert (done.served.number, done.served.copy_of) == (4, 2)
    assert [version.damage for version in list_versions(tmp_path / "served")] == [
        "has no saved_model.pb",
        "",
        "has no saved_model.pb",
        "",
    ]


def test_refuses_to_roll_back_to_an_unreadable_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        push(tmp_path, name)
    hide(monkeypatch, tmp_path / "served/1/variables")
    with pytest.raises(ConfigError, match=f"{tmp_path / 'served/1/variables'} cannot be used: Permission denied"):
        roll_back(tmp_path / "served")
    assert names(tmp_path / "served") == ["1", "2"]
    assert list_versions(tmp_path / "served")[0].damage == "cannot be read (Permission denied)"


def hide(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder unreadable. Tests often run as root, who has all permissions."""
    scandir = os.scandir

    def scan(path: str) -> Any:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", scan)


def test_an_unreadable_statement_prevents_all_changes(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    statement = tmp_path / "served/1" / STATEMENT_FILE
    statement.unlink()
    statement.symlink_to(statement)  # a loop, which even root cannot read
    for attempt in (roll_back, lambda _: push(tmp_path, "a")):
        with pytest.raises(JobError, match=f"{statement} cannot be used: Too many levels"):
            attempt(tmp_path / "served")
    assert names(tmp_path / "served") == ["1", "2"]


def test_links_are_followed_and_empty_folders_copied(tmp_path: Path) -> None:
    theirs = make_servable(tmp_path / "theirs", "theirs")
    version = tmp_path / "served/1"
    (version / "assets").mkdir(parents=True)
    (version / "variables").symlink_to(theirs / "variables")
    (version / "saved_model.pb").symlink_to(theirs / "saved_model.pb")
    push(tmp_path, "a")
    copy = Path(roll_back(tmp_path / "served").served.directory)
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    assert (copy / "assets").is_dir()
    assert bytes_below(copy) == {
        name: content for name, content in bytes_below(theirs).items() if name != STATEMENT_FILE
    } | {ROLLBACK_FILE: (copy / ROLLBACK_FILE).read_bytes()}


def test_can_replace_a_damaged_copy_by_its_original(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    damaged = roll_back(tmp_path / "served").served
    (Path(damaged.directory) / "saved_model.pb").write_text("something else")
    assert roll_back(tmp_path / "served", 1).served.number == 4
    assert served(tmp_path / "served") == ["a", "b", "else", "a"]


def test_an_interrupted_rollback_changes_nothing(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    for moment in count():
        termination = EndsAt(moment)
        try:
            done = rollback.roll_back(tmp_path / "served", None, progress=RecordingProgress(), termination=termination)
        except TerminationError:
            assert names(tmp_path / "served") == ["1", "2"]
        else:
            break
    assert moment > 3, "it is checked before each file, and last before the rename"
    assert done.served.number == 3


def test_termination_is_checked_last_before_the_rename(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)

    class EndsWhenAllIsCopied(NoTermination):
        def check(self) -> None:
            if list((tmp_path / "served").glob(f".staging-*/{ROLLBACK_FILE}")):
                raise TerminationError("termination was requested")

    with pytest.raises(TerminationError):
        rollback.roll_back(tmp_path / "served", None, progress=RecordingProgress(), termination=EndsWhenAllIsCopied())
    assert names(tmp_path / "served") == ["1", "2"]


class EndsAt(NoTermination):
    """Requests termination after a number of checks."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TerminationError("termination was requested")

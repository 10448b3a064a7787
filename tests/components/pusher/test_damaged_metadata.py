"""Damaged metadata of a version: it is never taken for a version without metadata."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components.base.errors import IntegrityError
from components.pusher.metadata import ROLLBACK_FILE, STATEMENT_FILE
from components.pusher.version_store import list_versions
from tests.components.pusher.support import bytes_below, push, pushed, roll_back
from tests.conftest import Command


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """Return a destination with the versions a and b."""
    for name in "ab":
        push(tmp_path, name)
    return tmp_path / "served"


def test_a_flipped_bit_never_makes_a_version_foreign(destination: Path) -> None:
    statement = destination / "1" / STATEMENT_FILE
    content = statement.read_bytes()
    found = set()
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 7
        statement.write_bytes(changed)
        version = list_versions(destination)[0]
        assert version.servable is not None or version.damage == f"has a damaged {STATEMENT_FILE}"
        found.add(version.damage)
    assert found == {"", f"has a damaged {STATEMENT_FILE}", "was changed after it was published"}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def write_newer(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema_version": 2}))


@pytest.mark.parametrize("damage", [cut, empty, make_folder, make_pipe, write_newer])
def test_a_damaged_statement_is_neither_served_nor_pushed(
    destination: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    statement = destination / "1" / STATEMENT_FILE
    damage(statement)
    before = bytes_below(destination)
    for attempt in (
        lambda: roll_back(destination),
        lambda: roll_back(destination, 1),
        lambda: push(tmp_path, "a"),
        lambda: push(tmp_path, "c"),  # this version might be c
    ):
        with pytest.raises(IntegrityError, match=f"{statement} is damaged, or of another version of the job"):
            attempt()
    assert bytes_below(destination) == before
    assert [version.damage for version in list_versions(destination)] == [f"has a damaged {STATEMENT_FILE}", ""]


def test_can_roll_back_from_a_damaged_statement(destination: Path, tmp_path: Path) -> None:
    empty(destination / "2" / STATEMENT_FILE)
    assert roll_back(destination).served.number == 3
    shutil.rmtree(destination / "2")
    again = push(tmp_path, "b")
    assert (again.version, again.served.number) == (None, 3), "its files still identify the model that is not served"


def test_a_damaged_list_of_rollbacks_prevents_a_push(destination: Path, tmp_path: Path) -> None:
    push(tmp_path, "c")
    roll_back(destination)
    shutil.rmtree(destination / "3")
    rolled_back = destination / "4" / ROLLBACK_FILE
    content = rolled_back.read_bytes()
    cut(rolled_back)
    for attempt in (lambda: push(tmp_path, "c"), lambda: roll_back(destination, 1)):
        with pytest.raises(IntegrityError, match=f"{rolled_back} is damaged"):
            attempt()
    rolled_back.write_bytes(content)
    assert push(tmp_path, "c").version is None, "it was rolled back from"
    assert pushed(tmp_path, "d").number == 5


def test_commands_report_a_damaged_statement(mnist_job: Command, destination: Path, finished_root: Path) -> None:
    cut(destination / "1" / STATEMENT_FILE)
    listed = mnist_job("versions", destination)
    assert listed.exit_code == 0
    assert listed.stdout.splitlines()[-1].endswith(f"has a damaged {STATEMENT_FILE}")
    assert "not pushed by this job" not in listed.stdout
    assert mnist_job("rollback", destination).exit_code == 3
    shown = mnist_job("show", destination / "1", "--root", finished_root)
    assert shown.exit_code == 3
    assert f"error: {destination / '1' / STATEMENT_FILE} is damaged" in shown.stderr

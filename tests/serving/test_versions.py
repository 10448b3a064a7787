"""Versions: published whole and once, never changed, and rolled back by adding one."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ConfigError, IntegrityError
from components.serving.content import content_digest
from components.serving.publishing import publish, roll_back
from components.serving.versions import LARGEST, in_use, list_versions
from tests.serving.support import make_servable, push, served


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_model_is_the_next_number_and_nothing_else_is_left(tmp_path: Path) -> None:
    assert [push(tmp_path, name).version.number for name in "abc"] == [1, 2, 3]
    assert names(tmp_path / "served") == ["1", "2", "3"]
    for number, name in enumerate("abc", start=1):
        assert bytes_below(tmp_path / "served" / str(number)) == bytes_below(tmp_path / "made" / name)


def test_what_is_there_is_not_published_again(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    again = push(tmp_path, "a")
    assert (again.new, again.version.number, again.served.number) == (False, 1, 2)
    assert served(tmp_path / "served") == ["a", "b"]


def test_a_model_that_was_judged_anew_is_the_same_model(tmp_path: Path) -> None:
    push(tmp_path, "a")
    judged = make_servable(tmp_path / "judged", "a", accuracy=0.5)
    assert not publish(judged, tmp_path / "served", digest=content_digest(judged)).new


def test_a_version_that_was_changed_is_not_taken_for_the_model(tmp_path: Path) -> None:
    push(tmp_path, "a")
    (tmp_path / "served/1/saved_model.pb").write_text("something else")
    again = push(tmp_path, "a")
    assert (again.new, again.version.number) == (True, 2)


def test_what_is_damaged_is_not_published(tmp_path: Path) -> None:
    servable = make_servable(tmp_path / "made", "a")
    digest = content_digest(servable)
    (servable / "saved_model.pb").write_text("cut sho")
    with pytest.raises(IntegrityError):
        publish(servable, tmp_path / "served", digest=digest)
    assert names(tmp_path / "served") == []


def test_the_next_number_is_above_all_that_a_server_could_take_for_a_version(tmp_path: Path) -> None:
    for name in ("00000123", "124.old", ".staging", "a", "-7"):
        (tmp_path / "served" / name).mkdir(parents=True)
    (tmp_path / "served" / "150").touch()  # a file: no version here, but the server would try it
    assert push(tmp_path, "a").version.number == 151
    assert [version.number for version in list_versions(tmp_path / "served")] == [123, 151]
    (tmp_path / "served" / str(LARGEST)).mkdir()
    with pytest.raises(ConfigError, match="the largest that there can be"):
        push(tmp_path, "b")


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
    assert push(tmp_path, "b").version.number == 4


def test_rolling_back_adds_a_copy_and_changes_nothing(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    before = bytes_below(tmp_path / "served")
    done = roll_back(tmp_path / "served")
    assert (done.version.number, done.to.number, done.before.number) == (3, 1, 2)
    after = bytes_below(tmp_path / "served")
    assert {name: content for name, content in after.items() if not name.startswith("3/")} == before
    assert bytes_below(tmp_path / "served/3") == bytes_below(tmp_path / "served/1")


def test_a_version_that_somebody_else_made_can_be_rolled_back_to(tmp_path: Path) -> None:
    (tmp_path / "served/1700000000/variables").mkdir(parents=True)
    (tmp_path / "served/1700000000/saved_model.pb").write_text("model of theirs")
    assert push(tmp_path, "a").version.number == 1700000001
    assert roll_back(tmp_path / "served").version.servable is None
    assert served(tmp_path / "served") == ["theirs", "a", "theirs"]


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (9, "has no version 9"),
        (2, "version 2 is served already"),
        (1, "was changed after it was made"),
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

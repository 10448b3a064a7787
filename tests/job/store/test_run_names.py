"""Names of runs: ids, tags, names and folders find the same run in every command."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components.artifacts import Model
from components.base.errors import ConfigError, IntegrityError, JobError
from job.config.only import SingleStep
from job.config.run_config import load_file_or_run
from job.python.run import load_run
from job.store.artifact_resolver import ArtifactResolver
from job.store.gc import GarbageCollector
from job.store.records import RunRecord
from job.store.resolve import find_run, locate_run
from job.store.resolved_model import resolve_model
from job.store.run_names import Tags, check_name, check_note
from job.store.runs import Runs
from job.store.store import Store
from tests.conftest import Command


def add_run(root: Path, run_id: str, **fields: object) -> str:
    """Add a run to a root: a copy of its newest with another id and other fields."""
    newest = Runs(root).read()
    target = root / "runs" / run_id
    shutil.copytree(root / "runs" / newest.run_id, target, symlinks=True)
    record = json.loads((target / "run.json").read_text()) | {"run_id": run_id, "name": None} | fields
    (target / "run.json").write_text(json.dumps(record))
    return run_id


OLD, NEW, NEWEST = (f"2099010{day}-000000-000abcd" for day in "123")


@pytest.fixture
def root(finished_root: Path) -> Path:
    """Return a root with four runs: one of `finished_root`, and three newer ones."""
    add_run(finished_root, OLD, name="wide", blessed=True)
    add_run(finished_root, NEW, name="wide", blessed=False)
    add_run(finished_root, NEWEST, blessed=False)
    Tags(finished_root).write("best", OLD)
    return finished_root


def test_every_name_finds_its_run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = Runs(root).ids()[0]
    (root / "runs" / OLD).rename(root / "runs" / "my favorite")
    Tags(root).write("best", NEW)
    found = {
        name: find_run(root, name).run_id
        for name in (first, "latest", "latest-blessed", "wide", "best", "my favorite", str(root / "runs" / NEW))
    }
    assert found == {
        first: first,
        "latest": first,
        "latest-blessed": first,
        "wide": NEW,
        "best": NEW,
        "my favorite": OLD,
        str(root / "runs" / NEW): NEW,
    }


def test_tag_comes_before_the_name_of_a_run(root: Path) -> None:
    Tags(root).write("wide", OLD)
    assert find_run(root, "wide").run_id == OLD


def test_folder_comes_last_unless_it_has_a_separator(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(root / "runs" / NEWEST, tmp_path / "best", symlinks=True)
    monkeypatch.chdir(tmp_path)
    assert find_run(root, "best").run_id == OLD
    assert find_run(root, "./best").run_id == NEWEST
    Tags(root).remove("best")
    assert find_run(root, "best").run_id == NEWEST


def test_run_of_another_root_is_found_by_its_folder(root: Path, tmp_path: Path) -> None:
    for folder in (root / "runs" / OLD, root / "runs" / NEW / ".." / OLD):
        found = locate_run(tmp_path / "nowhere", str(folder))
        assert (found.record.run_id, found.root) == (OLD, root)
    assert locate_run(tmp_path, str(root / "runs" / "latest")).folder == root / "runs" / Runs(root).ids()[0]


def init_from(root: Path, name: str) -> RunRecord:
    found = ArtifactResolver(Store(root), Runs(root)).find("trainer.init_from", name, Model)
    assert found.run_id is not None
    return Runs(root).read(found.run_id)


USERS: dict[str, Callable[[Path, str], RunRecord | None]] = {
    "load_run": lambda root, name: load_run(name, root).record,
    "predict, export": lambda root, name: resolve_model(root, name).record,
    "trainer.init_from": lambda root, name: init_from(root, name),
    "--from": lambda root, name: SingleStep.load("evaluator", name, root=root).run,
}


@pytest.mark.parametrize("name", ["best", "wide", "latest-blessed", OLD])
@pytest.mark.parametrize("user", USERS)
def test_every_user_of_runs_takes_every_name(root: Path, user: str, name: str) -> None:
    record = USERS[user](root, name)
    assert record is not None
    assert record.run_id == (NEW if name == "wide" else OLD)


@pytest.mark.parametrize("name", ["best", "wide", "latest-blessed"])
def test_commands_take_every_name(root: Path, mnist_job: Command, name: str) -> None:
    run_id = find_run(root, name).run_id
    assert json.loads(mnist_job("show", name, "--root", root, "--json").stdout)["run_id"] == run_id
    assert load_file_or_run(Path(name), root).origins[()] == f"run {run_id}"
    assert mnist_job("run", "--config", name, "--root", root, "--json").record["config"]["root"] == str(root)
    assert mnist_job("compare", name, run_id, "--root", root).exit_code == 0


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("bset", "did you mean `best`?"),
        ("Wide", "did you mean `wide`?"),
        ("latest_blessed", "did you mean `latest-blessed`?"),
        ("20990102", f"did you mean `{NEW}`?"),
        (OLD.replace("abcd", "abdc"), f"did you mean `{OLD}`?"),
        ("something", "list them with `python -m job runs --root ROOT`"),
    ],
)
def test_message_suggests_the_nearest_name(root: Path, mnist_job: Command, name: str, remedy: str) -> None:
    remedy = remedy.replace("ROOT", str(root))
    for user in (find_run, *USERS.values()):
        with pytest.raises(ConfigError, match=f"{root} has no run `{name}`") as caught:
            user(root, name)
        assert caught.value.remedy == remedy or caught.value.remedy.startswith("correct or remove ")
    assert f"remedy:   {remedy}" in mnist_job("show", name, "--root", root).stderr


def test_name_after_a_long_beginning_of_the_record_is_found(root: Path) -> None:
    path = root / "runs" / NEWEST / "run.json"
    record = json.loads(path.read_text())
    del record["name"]
    path.write_text(json.dumps(record | {"name": "last"}))
    assert find_run(root, "last").run_id == NEWEST
    assert find_run(root, "wide").run_id == NEW


def test_message_names_the_key_of_the_configuration(root: Path, mnist_job: Command) -> None:
    arguments = ("run", "--config", "latest", "--root", root, "--set")
    outcome = mnist_job(*arguments, "trainer.init_from=bset", "--set", "trainer.use=components:Trainer")
    assert outcome.exit_code == 2
    assert f"trainer.init_from is `bset`: {root} has no run `bset`" in outcome.stderr
    assert "did you mean `best`?" in outcome.stderr


def test_tag_of_a_deleted_run_is_explained(root: Path, mnist_job: Command) -> None:
    shutil.rmtree(root / "runs" / OLD)
    outcome = mnist_job("show", "best", "--root", root)
    assert outcome.exit_code == 2
    assert f"the run of the tag best, {OLD}, was deleted" in outcome.stderr
    assert f"{OLD}  (deleted)" in mnist_job("tag", "--root", root).stdout


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("latest", "it is reserved"),
        ("Latest-Blessed", "it is reserved"),
        (OLD, "it is the id of a run"),
        ("", "it is empty"),
        ("a/b", "it contains `/`"),
        ("two words", "it contains ` `"),
        ("bell\a", r"it contains `\x07`"),
        ("größe", "it contains `ö`"),
        ("..", "it begins with `.`"),
        ("-x", "it begins with `-`"),
        ("a\n", r"it contains `\n`"),
        ("a" * 65, "it has 65 characters"),
    ],
)
def test_invalid_name_is_explained(name: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_name(name)
    assert caught.value.headline.endswith(f"cannot be the name of a run: {problem}")
    assert "\n" not in caught.value.headline


@pytest.mark.parametrize("name", ["best", "v1.2", "wide_16-32", "7", "a" * 64])
def test_valid_names_are_accepted(name: str) -> None:
    check_name(name)


def test_note_that_a_record_cannot_contain_is_refused() -> None:
    check_note("with ünïcode\nand lines")
    for note in ("\udcff", "x" * 2001):
        with pytest.raises(ConfigError, match="the note"):
            check_note(note)


def test_tag_is_added_listed_moved_and_deleted(root: Path, mnist_job: Command) -> None:
    def tag(*arguments: object) -> str:
        outcome = mnist_job("tag", *arguments, "--root", root)
        assert outcome.exit_code == 0, outcome.stderr
        return outcome.stdout

    assert tag() == f"best  {OLD}  wide\n"
    assert tag("latest-blessed", "production") == f"production  {OLD}  wide\n"
    assert tag(NEWEST, "production") == f"production  {NEWEST}  before: {OLD}\n"
    assert json.loads(tag("--json")) == {"tags": {"best": OLD, "production": NEWEST}}
    assert json.loads(tag("best", "production", "--json")) == {"tag": "production", "run_id": OLD, "before": NEWEST}
    assert tag("--delete", "best") == f"best is deleted; it was the tag of {OLD}\n"
    assert json.loads(tag("--delete", "production", "--json")) == {"tag": "production", "run_id": None, "before": OLD}
    assert "has no tags" in tag()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((OLD,), f"`tag {OLD}` is incomplete"),
        ((OLD, "x", "--delete", "best"), "--delete excludes"),
        ((OLD, "latest"), "`latest` cannot be a tag: it is reserved"),
        (("bset", "x"), "did you mean `best`?"),
        (("--delete", "bset"), "did you mean `best`?"),
        (("--delete", "../runs/latest"), "has no tag `../runs/latest`"),
    ],
)
def test_error_of_tag_is_reported(root: Path, mnist_job: Command, arguments: tuple[str, ...], message: str) -> None:
    outcome = mnist_job("tag", *arguments, "--root", root)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert Tags(root).read() == {"best": OLD}


def test_run_of_another_root_cannot_be_tagged(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    shutil.copytree(root, tmp_path / "other", symlinks=True)
    outcome = mnist_job("tag", tmp_path / "other" / "runs" / OLD, "x", "--root", root)
    assert outcome.exit_code == 2
    assert f"is not a run of {root}" in outcome.stderr
    assert f"--root {tmp_path / 'other'}" in outcome.stderr


def test_file_that_is_no_tag_is_skipped_by_readers_and_stops_gc(root: Path) -> None:
    os.mkfifo(root / "tags" / "pipe")
    (root / "tags" / ".draft").write_text("x")
    (root / "tags" / "empty").touch()
    assert Tags(root).read() == {"best": OLD}
    with pytest.raises(IntegrityError, match="tags/empty is not a tag"):
        list(GarbageCollector(Store(root), Runs(root), keep=1, older_than=0).find())


def published(root: Path, run_id: str) -> None:
    record = json.loads((root / "runs" / run_id / "run.json").read_text())
    record["steps"][-1]["published"] = "version 1: serving/mnist/1"
    (root / "runs" / run_id / "run.json").write_text(json.dumps(record))


def collectable_runs(root: Path) -> set[str]:
    found = GarbageCollector(Store(root), Runs(root), keep=1, older_than=0).find()
    return {item.path.name for item in found if item.kind == "run"}


def test_gc_keeps_tagged_runs(root: Path) -> None:
    first = Runs(root).ids()[0]
    assert collectable_runs(root) == {NEW}, "OLD is also the newest blessed"
    Tags(root).write("x", NEW)
    assert collectable_runs(root) == set()
    assert first not in collectable_runs(root), "latest"


def test_gc_keeps_the_newest_run_that_published_an_artifact(root: Path) -> None:
    extra = add_run(root, OLD.replace("abcd", "abce"), blessed=False)
    for run_id in (extra, NEW):
        published(root, run_id)
    assert collectable_runs(root) == {extra}


def test_run_that_was_tagged_after_it_was_listed_is_kept(root: Path) -> None:
    collector = GarbageCollector(Store(root), Runs(root), keep=1, older_than=0)
    (found,) = [item for item in collector.find() if item.kind == "run"]
    Tags(root).write("rescued", NEW)
    assert not collector.delete(found)
    assert find_run(root, "rescued").run_id == NEW


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_root_cannot_be_tagged(root: Path) -> None:
    (root / "tags").chmod(0o500)
    with pytest.raises(JobError, match="cannot write to"):
        Tags(root).write("x", OLD)

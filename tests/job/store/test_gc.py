"""Garbage collection deletes only what no kept run needs, and only with --delete."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import StorageError
from components.runtime.locks import acquire
from job.commands.gc import collect_garbage
from job.store.gc import GarbageCollector
from job.store.runs import Runs
from job.store.store import Store
from tests.conftest import FAKES, Command, WriteConfig, run_job_in_process
from tests.support.processes import REPOSITORY, environment, start, wait_for
from tests.support.roots import copy_root


def kinds(outcome_stdout: str) -> list[str]:
    return [garbage["kind"] for garbage in json.loads(outcome_stdout)["garbage"]]


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two_runs")
    (folder / "config.yaml").write_text(json.dumps(FAKES))
    for accuracy in (1.0, 0.95):
        arguments = ("--root", folder / "root", "--set", f"evaluator.accuracy={accuracy}")
        assert run_job_in_process("run", "--config", folder / "config.yaml", *arguments).exit_code == 0
    return folder / "root"


@pytest.fixture
def root(two_runs: Path, tmp_path: Path) -> Path:
    """Return a root with two runs that share their first four artifacts except the evaluation."""
    return copy_root(two_runs, tmp_path / "root")


def runs(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "runs").iterdir() if path.is_dir() and not path.is_symlink())


def artifacts(root: Path) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in (root / "artifacts").glob("*/*")}


def used_by(root: Path, run_id: str) -> set[str]:
    record = json.loads((root / "runs" / run_id / "run.json").read_text())
    return {f"{step['component']}/{step['fingerprint']}" for step in record["steps"]}


def test_gc_keeps_everything_that_runs_refer_to(mnist_job: Command, root: Path) -> None:
    before = artifacts(root)
    assert "nothing can be deleted" in mnist_job("gc", "--root", root).stdout
    assert "0 items deleted" in mnist_job("gc", "--root", root, "--delete").stdout
    assert artifacts(root) == before


def test_keep_deletes_older_runs_with_their_artifacts(mnist_job: Command, root: Path) -> None:
    older, newer = runs(root)
    before = artifacts(root)
    listed = mnist_job("gc", "--root", root, "--keep", 1)
    assert "delete with --delete" in listed.stdout
    assert older in listed.stdout
    assert newer not in listed.stdout
    assert (artifacts(root), runs(root)) == (before, [older, newer]), "listed, not deleted"
    assert kinds(mnist_job("gc", "--root", root, "--keep", 1, "--json").stdout) == ["run", "artifact", "artifact"]
    deleted = mnist_job("gc", "--root", root, "--keep", 1, "--delete")
    assert "3 items deleted" in deleted.stdout
    assert runs(root) == [newer]
    assert artifacts(root) == used_by(root, newer)
    assert mnist_job("verify", "--root", root).exit_code == 0
    assert mnist_job("show", "--root", root).exit_code == 0


def test_artifact_of_a_removed_run_is_deleted(mnist_job: Command, root: Path) -> None:
    older, newer = runs(root)
    shutil.rmtree(root / "runs" / older)
    assert kinds(mnist_job("gc", "--root", root, "--json", "--delete").stdout) == ["artifact", "artifact"]
    assert artifacts(root) == used_by(root, newer)


def age(path: Path, days: float) -> None:
    for entry in (*path.rglob("*"), path):
        os.utime(entry, (time.time() - days * 86400,) * 2)


def test_old_partial_and_quarantined_artifacts_are_deleted(mnist_job: Command, root: Path) -> None:
    partial = root / "artifacts" / "trainer" / f"{'0' * 64}.partial"
    (partial / "checkpoints" / "epoch-0001-step-00010").mkdir(parents=True)
    lock = partial.with_suffix(".lock")
    lock.write_text("a run that was killed")
    quarantined = root / "artifacts" / "trainer" / f"{'1' * 64}.quarantined-1"
    quarantined.mkdir()
    cut_short = root / "artifacts" / "trainer" / f"{'2' * 64}.deleting"
    cut_short.mkdir()
    assert kinds(mnist_job("gc", "--root", root, "--json").stdout) == ["partial"], "what is being deleted already"
    age(partial, 8)
    age(quarantined, 6.9)
    age(lock, 8)
    assert kinds(mnist_job("gc", "--root", root, "--json").stdout) == ["partial", "partial"]
    assert kinds(mnist_job("gc", "--root", root, "--json", "--older-than", "6d").stdout) == [
        "partial",
        "quarantined",
        "partial",
    ]
    assert "3 items deleted" in mnist_job("gc", "--root", root, "--older-than", "6d", "--delete").stdout
    assert not any(path.exists() for path in (partial, lock, quarantined, cut_short))
    lone = root / "artifacts" / "trainer" / f"{'3' * 64}.lock"
    lone.touch()
    age(lone, 8)
    assert "1 item deleted" in mnist_job("gc", "--root", root, "--delete").stdout
    assert not lone.exists()


def test_age_counts_from_the_quarantine(mnist_job: Command, root: Path) -> None:
    (artifact, *_) = (root / "artifacts" / "visualizer").glob("*")
    age(artifact, 100)
    quarantined = Store(root).quarantine("visualizer", artifact.name)
    assert quarantined.name.endswith(".quarantined-1")
    assert kinds(mnist_job("gc", "--root", root, "--json").stdout) == []


def test_partial_artifact_modified_since_is_kept(root: Path) -> None:
    partial = root / "artifacts" / "trainer" / f"{'0' * 64}.partial"
    partial.mkdir()
    age(partial, 8)
    collector = GarbageCollector(Store(root), Runs(root), keep=None, older_than=7 * 86400)
    (found,) = collector.find()
    (partial / "checkpoints").mkdir()  # a run resumed, and was ended again
    assert not collector.delete(found)
    assert partial.is_dir()


def test_interrupted_deletion_does_not_stop_the_next(mnist_job: Command, root: Path) -> None:
    older, _ = runs(root)
    (garbage,) = (
        {*artifacts(root)}
        - used_by(root, runs(root)[1])
        - {name for name in artifacts(root) if name.startswith("visualizer")}
    )
    cut_short = root / "artifacts" / f"{garbage}.deleting"
    cut_short.mkdir()
    (cut_short / "left").touch()
    shutil.rmtree(root / "runs" / older)
    assert mnist_job("gc", "--root", root, "--delete").exit_code == 0
    assert artifacts(root) == used_by(root, runs(root)[0])


def test_artifact_reused_since_it_was_listed_is_kept(mnist_job: Command, fake_config: Path, root: Path) -> None:
    older, newer = runs(root)
    collector = GarbageCollector(Store(root), Runs(root), keep=1, older_than=0)
    found = list(collector.find())
    assert [garbage.kind for garbage in found] == ["run", "artifact", "artifact"]
    with acquire(root / "runs" / older / "lock"):
        assert not collector.delete(found[0]), "it goes on, as it turns out"
    # The older run's configuration again: it reuses what was found to be garbage.
    assert mnist_job("run", "--config", fake_config, "--root", root).exit_code == 0
    assert [collector.delete(garbage) for garbage in found[1:]] == [False, False]
    assert mnist_job("verify", "--root", root).exit_code == 0
    assert collector.delete(found[0])
    assert newer in runs(root)


def test_what_another_process_deleted_is_not_deleted_again(root: Path) -> None:
    collector = GarbageCollector(Store(root), Runs(root), keep=1, older_than=0)
    found = list(collector.find())
    assert [collector.delete(garbage) for garbage in found * 2] == [True] * 3 + [False] * 3


def test_run_that_began_last_is_kept_despite_the_clock(mnist_job: Command, root: Path) -> None:
    older, newer = runs(root)
    latest = root / "runs" / "latest"
    latest.unlink()
    latest.symlink_to(older)  # as when the clock was put back before it began
    assert kinds(mnist_job("gc", "--root", root, "--keep", 1, "--json").stdout) == []
    assert runs(root) == [older, newer]


def test_files_of_others_are_kept(mnist_job: Command, root: Path) -> None:
    for name in ("README.txt", ".nfs0001", "backup"):
        (root / "artifacts" / "trainer" / name).touch()
    assert kinds(mnist_job("gc", "--root", root, "--json", "--older-than", "0s", "--delete").stdout) == []
    assert (root / "artifacts" / "trainer" / "backup").exists()


@pytest.mark.parametrize("text", ["7", "d", "-1d", "1.5h", "٣d"])
def test_invalid_age_is_reported(mnist_job: Command, root: Path, text: str) -> None:
    outcome = mnist_job("gc", "--root", root, f"--older-than={text}")
    assert outcome.exit_code == 2
    assert "is not an age" in outcome.stderr


def test_artifacts_of_a_run_in_progress_are_kept(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    root = tmp_path / "root"
    config = write_config({**FAKES, "trainer": {"use": "tests.support.components:SleepingTrainer"}})
    with start("run", "--config", config, "--root", root) as running:
        wait_for("sleeping", running)
        (alive,) = runs(root)
        held = artifacts(root)
        # A newer run, so that the running one is not among those to keep.
        write_config(FAKES)
        assert mnist_job("run", "--config", config, "--root", root).exit_code == 0
        partial = next((root / "artifacts" / "trainer").glob("*.partial"))
        age(partial, 100)
        outcome = mnist_job("gc", "--root", root, "--keep", 1, "--older-than", "0s", "--delete", "--json")
        assert json.loads(outcome.stdout) == {"garbage": [], "deleted": []}
        assert held <= artifacts(root)
        assert alive in runs(root)
        running.kill()
    outcome = mnist_job("gc", "--root", root, "--keep", 1, "--older-than", "0s", "--delete", "--json")
    found: list[dict[str, Any]] = json.loads(outcome.stdout)["garbage"]
    assert {garbage["kind"] for garbage in found} == {"run", "partial"}, "a killed run holds nothing"


def test_folder_that_is_no_root_is_reported(mnist_job: Command, tmp_path: Path) -> None:
    outcome = mnist_job("gc", "--root", tmp_path / "nowhere")
    assert outcome.exit_code == 2
    assert "has no artifacts" in outcome.stderr


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["notes", "zzz", "20261128-191357-549962a-copy"])
def test_folder_of_another_name_is_not_a_run(mnist_job: Command, root: Path, name: str) -> None:
    older, newer = runs(root)
    (root / "runs" / name).mkdir()
    (root / "runs" / name / "notes.txt").write_text("mine")
    outcome = mnist_job("gc", "--root", root, "--keep", 1, "--delete")
    assert outcome.exit_code == 0
    assert "3 items deleted" in outcome.stdout
    assert runs(root) == sorted([name, newer]), f"{older} is deleted, as without the folder"
    assert (root / "runs" / name / "notes.txt").read_text() == "mine"


def test_renamed_run_is_kept_with_its_artifacts(mnist_job: Command, root: Path) -> None:
    older, newer = runs(root)
    used = used_by(root, older) | used_by(root, newer)
    (root / "runs" / older).rename(root / "runs" / "the best one")
    assert "0 items deleted" in mnist_job("gc", "--root", root, "--keep", 1, "--delete").stdout
    assert artifacts(root) == used


def without_record(run: Path) -> None:
    (run / "run.json").unlink()


def with_fifo(run: Path) -> None:
    (run / "run.json").unlink()
    os.mkfifo(run / "run.json")


def of_older_version(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"schema_version": 1}))


def renamed_and_damaged(run: Path) -> None:
    (run / "run.json").write_text("{")
    run.rename(run.with_name("the best one"))


def no_runs(run: Path) -> None:
    shutil.rmtree(run.parent)


def empty_runs(run: Path) -> None:
    no_runs(run)
    run.parent.mkdir()


@pytest.mark.parametrize(
    "damage", [without_record, with_fifo, of_older_version, renamed_and_damaged, no_runs, empty_runs]
)
def test_nothing_is_deleted_if_a_record_is_missing(
    mnist_job: Command, finished_root: Path, damage: Callable[[Path], None]
) -> None:
    (run_id,) = runs(finished_root)
    damage(finished_root / "runs" / run_id)
    before = tree(finished_root)
    outcome = mnist_job("gc", "--root", finished_root, "--keep", 1, "--older-than", "0s", "--delete")
    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert "remedy:   restore " in outcome.stderr
    assert "nothing was deleted" in outcome.stderr
    assert tree(finished_root) == before


@pytest.mark.parametrize("name", ["runs", "artifacts", "artifacts/trainer"])
def test_nothing_is_deleted_through_a_link(mnist_job: Command, finished_root: Path, tmp_path: Path, name: str) -> None:
    (finished_root / name).rename(tmp_path / "elsewhere")
    (finished_root / name).symlink_to(tmp_path / "elsewhere")
    unused = tmp_path / "elsewhere" / ("" if name == "artifacts/trainer" else "trainer") / ("0" * 64)
    unused.mkdir(parents=True)
    outcome = mnist_job("gc", "--root", finished_root, "--delete")
    assert outcome.exit_code == 3
    assert f"{finished_root / name} is a link" in outcome.stderr
    assert unused.is_dir()


def test_links_to_runs_and_artifacts_are_not_followed(mnist_job: Command, root: Path, tmp_path: Path) -> None:
    older, _ = runs(root)
    (root / "runs" / older).rename(tmp_path / "older")
    (root / "runs" / older).symlink_to(tmp_path / "older")
    (root / "artifacts" / "trainer" / ("0" * 64)).symlink_to(tmp_path)
    before = artifacts(root)
    listed = json.loads(mnist_job("gc", "--root", root, "--keep", 1, "--delete", "--json").stdout)
    assert [(item["kind"], item["size"] < 1000) for item in listed["garbage"]] == [("artifact", True)]
    assert artifacts(root) == before - {f"trainer/{'0' * 64}"}, "what the linked run uses is kept"
    assert (tmp_path / "older" / "run.json").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
@pytest.mark.parametrize("as_json", [True, False])
def test_nothing_is_deleted_if_the_list_cannot_be_printed(root: Path, as_json: bool) -> None:
    before, raises = tree(root), pytest.raises(StorageError)
    # Closing the file writes once more, and fails again.
    with suppress(OSError), Path("/dev/full").open("w") as full, redirect_stdout(full), raises as raised:
        collect_garbage(root, keep=1, older_than="7d", delete=True, as_json=as_json)
    assert raised.value.headline == "cannot print the list to standard output: No space left on device"
    assert tree(root) == before


@pytest.mark.thorough
@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true"])
def test_nothing_is_deleted_without_standard_output(root: Path, redirection: str) -> None:
    before = tree(root)
    command = shlex.join([sys.executable, "-m", "job", "gc", "--root", str(root), "--keep", "1", "--delete"])
    completed = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 1
    assert "cannot print the list to standard output" in completed.stderr
    assert "Traceback" not in completed.stderr
    assert tree(root) == before


def test_half_deleted_run_is_no_damaged_run(mnist_job: Command, finished_root: Path) -> None:
    draft = finished_root / "runs" / ".20261128-191357-549962a"
    draft.mkdir()
    (draft / "report.html").touch()  # its record was deleted already
    assert kinds(mnist_job("gc", "--root", finished_root, "--json", "--older-than", "0s").stdout) == [], "it is new"
    age(draft, 8)
    assert kinds(mnist_job("gc", "--root", finished_root, "--json", "--delete").stdout) == ["partial"]
    assert not draft.exists()


def test_damaged_record_stops_gc(mnist_job: Command, root: Path) -> None:
    (root / "runs" / runs(root)[0] / "run.json").write_text("{")
    outcome = mnist_job("gc", "--root", root, "--delete")
    assert outcome.exit_code == 3
    assert "run.json is not the record of a run: it is not JSON" in outcome.stderr

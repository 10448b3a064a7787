"""Zombie writers: a run that was stopped for so long that another run took its lock and finished its work.

The lock is lost when its file is deleted, as by someone who takes it for a leftover. A file system whose locks do not
reach other machines, or do not survive a restart of its server, gives the same two processes.
"""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.components.pusher.support import bytes_below, names
from tests.conftest import FAKES, SLOTS, Command, WriteConfig
from tests.support.processes import start_interfered, wait_until_stopped

PARTIAL = "*/trainer/*.partial/files-*"
WRITING = {"at": "open", "path": f"{PARTIAL}/weights.npz", "do": "STOP"}
RENAMING = {"at": "rename", "path": PARTIAL, "do": "STOP"}


@contextmanager
def stopped_run(moment: dict[str, Any], *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start a run that stops itself at a moment, and wait until it has; it does not outlive the block."""
    with start_interfered(moment, *arguments) as process:
        try:
            wait_until_stopped(process)
            yield process
        finally:
            process.kill()


def sealed(root: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, time of change and inode of everything among the artifacts."""
    paths = sorted(path for path in (root / "artifacts").rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}


def lose_lock(folder: Path) -> None:
    (lock,) = folder.glob("*.lock")
    lock.unlink()


def steps(output: str) -> dict[str, Any]:
    return {step["component"]: step["status"] for step in json.loads(output)["steps"]}


@pytest.mark.parametrize(
    "moment",
    [
        WRITING,
        pytest.param({"at": "mkdir", "path": PARTIAL, "do": "STOP"}, marks=pytest.mark.thorough),
        pytest.param({"at": "open", "path": f"{PARTIAL}/manifest.json", "do": "STOP"}, marks=pytest.mark.thorough),
        pytest.param(RENAMING, marks=pytest.mark.thorough),
    ],
)
def test_zombie_changes_nothing_that_another_run_sealed(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, moment: dict[str, Any]
) -> None:
    root = tmp_path / "root"
    arguments = ("run", "--config", write_config(FAKES), "--root", root, "--json")
    with stopped_run(moment, *arguments) as zombie:
        lose_lock(root / "artifacts/trainer")
        another = mnist_job(*arguments)
        before = sealed(root)
        zombie.send_signal(signal.SIGCONT)
        stdout, stderr = zombie.communicate(timeout=60)
    assert another.exit_code == 0
    assert steps(another.stdout) == {slot: "reused" if slot in SLOTS[:2] else "ran" for slot in SLOTS}
    assert zombie.returncode == 0, stderr
    assert steps(stdout) == {slot: "ran" if slot in SLOTS[:2] else "reused" for slot in SLOTS}
    assert "this attempt of the trainer is discarded" in stderr
    assert sealed(root) == before
    assert sorted(path.parent.name for path in root.glob("artifacts/*/*")) == sorted(SLOTS), "and nothing else is left"


@pytest.mark.thorough
def test_zombie_does_not_touch_what_another_run_is_writing(write_config: WriteConfig, tmp_path: Path) -> None:
    root = tmp_path / "root"
    arguments = ("run", "--config", write_config(FAKES), "--root", root, "--json")
    with stopped_run(WRITING, *arguments) as zombie:
        lose_lock(root / "artifacts/trainer")
        with stopped_run(RENAMING, *arguments) as another:
            zombie.send_signal(signal.SIGCONT)
            assert zombie.stderr is not None
            assert any("waiting for run " in line for line in zombie.stderr), "it waits as if it had never begun"
            before = sealed(root)
            another.send_signal(signal.SIGCONT)
            assert another.wait(60) == 0
        stdout, _ = zombie.communicate(timeout=60)
    assert zombie.returncode == 0
    assert steps(stdout)["trainer"] == "reused"
    (weights,) = root.glob("artifacts/trainer/*/weights.npz")
    written = next(value for path, value in before.items() if path.endswith("/weights.npz"))
    assert (weights.read_bytes(), weights.stat().st_mtime_ns, weights.stat().st_ino) == written


@pytest.mark.thorough
def test_zombie_does_not_push_a_version_again(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    served, root = tmp_path / "served", tmp_path / "root"
    pusher = {"destination": str(served), "allow_rubber_stamped": True}
    trainer = {"use": "components.testing:FakeTrainer", "saved_model": True}
    arguments = ("run", "--config", write_config({**FAKES, "trainer": trainer, "pusher": pusher}), "--root", root)
    with stopped_run({"at": "rename", "path": f"{served}/.staging-*", "do": "STOP"}, *arguments) as zombie:
        lose_lock(served)
        (artifact_lock,) = root.glob("artifacts/pusher/*.lock")
        artifact_lock.unlink()
        assert mnist_job(*arguments).exit_code == 0
        before = bytes_below(served)
        zombie.send_signal(signal.SIGCONT)
        _, stderr = zombie.communicate(timeout=60)
    assert zombie.returncode == 1, "to be tried again"
    assert f"another process took the lock of {served}" in stderr
    assert bytes_below(served) == before
    assert names(served) == ["1"]
    assert mnist_job(*arguments).exit_code == 0
    assert bytes_below(served) == before

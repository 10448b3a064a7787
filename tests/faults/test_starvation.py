"""A full disk, a read-only disk, exhausted memory, and a clock that jumps."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tests.conftest import FAKES, TINY_NETWORK, Command, WriteConfig, run_job_process
from tests.support.disks import small_disk
from tests.support.processes import REPOSITORY, environment, interfered, results

MEGABYTE = 1 << 20
REAL: dict[str, Any] = {
    "trainer": {"network": TINY_NETWORK, "epochs": 2, "checkpoint": {"every_steps": 10}},
    "evaluator": {"thresholds": {}, "infra_validation": {"images": 0}},
}
LIGHT: dict[str, Any] = {**REAL, "trainer": {"use": "components.testing:FakeTrainer"}}


def only(slot: str) -> dict[str, Any]:
    """Return a configuration with fakes, except for one component, on real digits."""
    return {other: fake for other, fake in FAKES.items() if other not in (slot, "example_gen")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 64 * MEGABYTE) as folder:
        yield folder


def digests_below(root: Path) -> dict[str, str]:
    return {
        path.parent.name: json.loads(path.read_bytes())["digest"]
        for path in (root / "artifacts").glob("*/*/manifest.json")
        if "." not in path.parent.name
    }


def check_full_disk(disk: Path, config: Path, plan: dict[str, Any], message: str) -> None:
    """Fill the disk by a plan; check that it is reported, nothing is lost, and free space corrects it."""
    root = disk / "root"
    ended = interfered({"do": "fill", **plan}, "run", "--config", config, "--root", root)
    assert ended.returncode == 1, (ended.stdout, ended.stderr)
    assert re.search(rf"error: no space for {message} on the disk of .*: .* needed, [\d.]+ \w+ free", ended.stderr)
    assert "Traceback" not in ended.stderr
    sealed = digests_below(root)
    assert run_job_process("verify", "--root", root).exit_code == 0
    (disk / "ballast").unlink()
    repaired = run_job_process("run", "--config", config, "--root", root)
    assert repaired.exit_code == 0, repaired.stderr
    assert sealed.items() <= digests_below(root).items()
    assert len(digests_below(root)) == 5
    assert not list(root.rglob("*.partial"))


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        pytest.param("example_gen", "a copy of the source's images", marks=pytest.mark.thorough),
        ("transform", "the transformed images"),
        pytest.param("evaluator", "the predictions", marks=pytest.mark.thorough),
        pytest.param("visualizer", "the figure curves.png", marks=pytest.mark.thorough),
    ],
)
def test_full_disk_in_a_component_loses_nothing_sealed(
    disk: Path, write_config: WriteConfig, slot: str, message: str
) -> None:
    plan = {"at": "mkdir", "path": f"*/{slot}/*.partial/files-*", "leave": 8192}
    check_full_disk(disk, write_config(only(slot)), plan, message)


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        pytest.param(
            {"at": "open", "path": "*/scratch/scattered-*"}, "the shuffled images", marks=pytest.mark.thorough
        ),
        pytest.param({"at": "mkdir", "path": "*/files-*/train"}, "the split images", marks=pytest.mark.thorough),
    ],
)
def test_full_disk_during_the_shuffle_is_reported(
    disk: Path, write_config: WriteConfig, moment: dict[str, str], message: str
) -> None:
    check_full_disk(disk, write_config(LIGHT), moment | {"leave": 8192}, message)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"at": "mkdir", "path": "*.partial/checkpoints/draft", "count": 2, "leave": 16384}, "a checkpoint"),
        ({"at": "open", "path": "*.partial/files-*/draft-model.keras", "leave": 8192}, "the trained model"),
        # All except the space of the deleted draft, which is too little for the next write of TensorFlow.
        ({"at": "remove", "path": "*.partial/files-*/draft-model.keras"}, "the trained model"),
    ],
)
@pytest.mark.thorough
def test_full_disk_in_training_keeps_the_progress(
    disk: Path, write_config: WriteConfig, plan: dict[str, Any], message: str
) -> None:
    check_full_disk(disk, write_config(REAL), plan, message)


def test_disk_without_any_space_is_reported(disk: Path, write_config: WriteConfig) -> None:
    config = write_config(FAKES)
    (disk / "ballast").write_bytes(b"\0" * (64 * MEGABYTE - 4096))
    outcome = run_job_process("run", "--config", config, "--root", disk / "root")
    assert outcome.exit_code == 1
    assert "error: no space for" in outcome.stderr
    (disk / "ballast").unlink()
    assert run_job_process("run", "--config", config, "--root", disk / "root").exit_code == 0


@pytest.mark.thorough
def test_unfinished_record_is_no_success(disk: Path, write_config: WriteConfig) -> None:
    config = write_config(FAKES)
    plan = {"at": "open", "path": "*/runs/*/.run.json", "count": 8, "do": "fill", "leave": 0}
    ended = interfered(plan, "run", "--config", config, "--root", disk / "root")
    assert ended.returncode == 1, ended.stdout
    assert "error: no space for" in ended.stderr
    (disk / "ballast").unlink()
    assert (
        run_job_process("run", "--config", config, "--root", disk / "root", "--json").record["outcome"] == "succeeded"
    )


@pytest.mark.thorough
def test_read_only_root_can_be_inspected_but_not_run(disk: Path, write_config: WriteConfig) -> None:
    config = write_config(FAKES)
    root = disk / "root"
    assert run_job_process("run", "--config", config, "--root", root).exit_code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    outcome = run_job_process("run", "--config", config, "--root", root)
    assert outcome.exit_code == 2
    assert "cannot write to the root" in outcome.stderr
    assert "Read-only file system" in outcome.stderr
    for command in ("show", "verify", "gc"):
        assert run_job_process(command, "--root", root).exit_code == 0, command


@contextmanager
def memory_limit(size: int) -> Iterator[Path]:
    """Create a control group with this much memory; yield the file that adds processes to it."""
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group = (old if old.is_dir() else new) / f"mnist-job-test-{os.getpid()}"
    limits = ["memory.limit_in_bytes"] if old.is_dir() else ["memory.max", "memory.swap.max"]
    try:
        group.mkdir()
        for limit in limits:
            (group / limit).write_text("0" if "swap" in limit else str(size))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"THIS MACHINE HAS NO WRITABLE CONTROL GROUP, so an out-of-memory kill is not tested: {error}")
    try:
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


@pytest.mark.thorough
def test_out_of_memory_kill_resumes_to_the_same_bits(tmp_path: Path, write_config: WriteConfig) -> None:
    config = write_config(REAL)
    arguments = ("run", "--config", str(config), "--root")
    assert run_job_process(*arguments, tmp_path / "undisturbed").exit_code == 0
    plan = json.dumps({"at": "step", "count": 9, "do": "eat"})
    with memory_limit(3000 * MEGABYTE) as processes:
        # The shell joins the group, and is replaced by the job.
        script = f'echo $$ > {processes}; exec "$@"'
        python = [sys.executable, "-m", "tests.support.interfere", plan, *arguments, str(tmp_path / "killed")]
        command = ["sh", "-c", script, "sh", *python]
        ended = subprocess.run(
            command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
    assert ended.returncode == -signal.SIGKILL, (ended.stdout, ended.stderr)  # a shell reports 137
    resumed = run_job_process(*arguments, tmp_path / "killed")
    assert resumed.exit_code == 0
    assert "resumed at epoch" in resumed.stdout
    assert results(tmp_path / "killed") == results(tmp_path / "undisturbed")


def test_failed_allocation_exits_with_5(
    tmp_path: Path, write_config: WriteConfig, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "greedy.py").write_text(
        "from components.testing import FakeTrainer\n"
        "from components import Model, Stored, TransformedExamples\n"
        "class Greedy(FakeTrainer):\n"
        "    def run(self, context, /, *, transformed: Stored[TransformedExamples]) -> Model:\n"
        "        return bytearray(1 << 60)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    outcome = mnist_job(
        "run", "--config", write_config({**FAKES, "trainer": {"use": "greedy:Greedy"}}), "--root", tmp_path / "root"
    )
    assert outcome.exit_code == 5
    assert "there is not enough memory" in outcome.stderr


@pytest.mark.thorough
def test_clock_that_jumps_changes_nothing(tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime
    import time

    import job.store.runs

    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**FAKES, "example_gen": {"source": {"kind": "digits"}}}))
    records = []
    real = time.time
    for root, years in (("now", 0), ("future", 40), ("past", -40), ("now", -20), ("now", 60)):
        shift = years * 365 * 86400

        class Clock(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Self:
                return cls.fromtimestamp(real() + shift, tz)  # noqa: B023

        monkeypatch.setattr(time, "time", lambda shift=shift: real() + shift)
        monkeypatch.setattr(job.store.runs, "datetime", Clock)
        outcome = mnist_job("run", "--config", config, "--root", tmp_path / root, "--json")
        assert outcome.exit_code == 0
        records.append(outcome.record)
        for path in (tmp_path / root / "artifacts").rglob("*"):
            os.utime(path, (max(0, real() + shift), max(0, real() + shift)))
    for key in ("fingerprint", "digest"):
        assert len({tuple(step[key] for step in record["steps"]) for record in records}) == 1
    assert [{step["status"] for step in record["steps"]} for record in records[3:]] == [{"reused"}, {"reused"}]
    assert mnist_job("show", "--root", tmp_path / "now", "--json").record["run_id"] == records[4]["run_id"]

"""Concurrent runs on one root: one produces an artifact, the others wait for it and reuse it."""

import datetime
import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

import pytest

import job.store.runs
from components.base.errors import TerminationError
from components.runtime.locks import acquire, is_held, try_acquire
from job.options import python_command
from job.signals import Signals
from job.store.records import RunRecord
from job.store.runs import Runs
from tests.conftest import FAKES, SLOTS, Command, WriteConfig, run_job_process
from tests.support.processes import start, wait_for


def sealed(root: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in (root / "artifacts").glob("*/*"))


@pytest.mark.parametrize("count", [2, pytest.param(8, marks=pytest.mark.thorough)])
def test_concurrent_runs_produce_each_artifact_once(
    tmp_path: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    config = write_config({**FAKES, "trainer": {"use": "tests.support.components:CountedTrainer"}})
    root = tmp_path / "root"
    processes = [start("run", "--config", config, "--root", root, "--json") for _ in range(count)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, [stderr for _, stderr in outputs]
    assert (tmp_path / "counted").read_text() == "ran\n"
    records = [json.loads(stdout) for stdout, _ in outputs]
    ran = Counter(step["component"] for record in records for step in record["steps"] if step["status"] == "ran")
    assert ran == dict.fromkeys(SLOTS, 1)
    for slot in SLOTS:
        digests = {step["digest"] for record in records for step in record["steps"] if step["component"] == slot}
        assert len(digests) == 1
    assert [name.split("/")[0] for name in sealed(root)] == sorted(SLOTS), "one artifact a step, and nothing else"
    assert any("which is producing the same artifact" in stderr for _, stderr in outputs)


@pytest.mark.thorough
def test_lock_of_a_killed_run_does_not_block(
    tmp_path: Path, write_config: WriteConfig, mnist_job_process: Command
) -> None:
    root = tmp_path / "root"
    config = write_config({**FAKES, "trainer": {"use": "tests.support.components:SleepingTrainer"}})
    with start("run", "--config", config, "--root", root) as process:
        wait_for("sleeping", process)
        process.kill()
    (lock,) = root.rglob("*.lock")
    (partial,) = root.rglob("*.partial")
    assert "process" in lock.read_text()
    assert "killed: the process is gone" in mnist_job_process("show", "--root", root).stdout
    config = write_config({**FAKES, "trainer": {"use": "tests.support.components:CheckingTrainer"}})
    with start("run", "--config", config, "--root", root) as process:  # other code: another fingerprint
        wait_for("sleeping", process)
        process.terminate()
        process.wait(20)
    write_config({**FAKES, "trainer": {"use": "tests.support.components:SleepingTrainer"}})
    with start("run", "--config", config, "--root", root) as process:  # the same fingerprint
        wait_for("sleeping", process)
        assert lock.exists()
        assert partial.exists()
        process.kill()


def test_checking_a_lock_does_not_write(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with acquire(path, owner="a run"):
        path.chmod(0o444)
        assert is_held(path)
        with try_acquire(path) as free:
            assert not free
    assert not path.exists()
    path.touch()
    assert not is_held(path)
    assert path.exists()
    with try_acquire(path) as free:
        assert free
        assert is_held(path)


def test_runs_of_the_same_millisecond_have_different_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(tmp_path)
    tokens = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda count: next(tokens) if count == 2 else "0" * count)
    monkeypatch.setattr(job.store.runs, "datetime", FixedClock)
    ids = [runs.begin(config={}, environment={}).run_id for _ in range(2)]
    assert ids == ["20260102-030405-006aaaa", "20260102-030405-006bbbb"]


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        return cls(2026, 1, 2, 3, 4, 5, 6789, tz)


def quick_signals() -> Signals:
    return Signals(grace_seconds=0.1, echo_seconds=0.1)


def test_only_a_second_signal_interrupts_deferred_work() -> None:
    signals = quick_signals()
    with signals.installed():
        reached = []
        with pytest.raises(TerminationError), signals.interruptible(), signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:
                time.sleep(0.01)
            reached.append("its own end")
        assert reached
        assert signals.requested
    again = quick_signals()
    with again.installed():
        with pytest.raises(TerminationError), again.interruptible(), again.deferred():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            reached.append("after a repeated signal")
            time.sleep(0.2)
            signal.raise_signal(signal.SIGTERM)
            reached.append("never")
        assert reached == ["its own end", "after a repeated signal"]
    not_deferred = quick_signals()
    with not_deferred.installed(), pytest.raises(TerminationError), not_deferred.interruptible():
        signal.raise_signal(signal.SIGINT)
        time.sleep(30)


def test_repeated_signal_may_arrive_between_any_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Slurm preempts: the second SIGTERM arrives while the first is being handled."""
    signals = Signals()
    monotonic = time.monotonic

    def echoing() -> float:
        monkeypatch.setattr(time, "monotonic", monotonic)
        signal.raise_signal(signal.SIGTERM)
        return monotonic()

    reached = []
    with signals.installed(), pytest.raises(TerminationError), signals.interruptible(), signals.deferred():
        monkeypatch.setattr(time, "monotonic", echoing)
        signal.raise_signal(signal.SIGTERM)
        reached.append("its own end")
    assert reached


def test_artifact_is_locked_until_the_record_refers_to_it(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, held = Runs.write, []

    def watched(runs: Runs, record: RunRecord) -> None:
        if record.outcome == "running" and record.steps and record.metrics is None:
            step = record.steps[-1]
            held.append(is_held(Path(step.path).with_suffix(".lock")))
        write(runs, record)

    monkeypatch.setattr(Runs, "write", watched)
    assert mnist_job("run", "--config", write_config(FAKES), "--root", tmp_path / "root").exit_code == 0
    assert held == [True] * 4


def test_waiting_run_can_be_terminated(tmp_path: Path, write_config: WriteConfig) -> None:
    root = tmp_path / "root"
    config = write_config({**FAKES, "trainer": {"use": "tests.support.components:SleepingTrainer"}})
    with start("run", "--config", config, "--root", root) as at_work:
        wait_for("sleeping", at_work)
        with start("run", "--config", config, "--root", root) as waiting:
            wait_for("waiting for run ", waiting)
            waiting.terminate()
            assert waiting.wait(10) == 143
        assert at_work.poll() is None
        at_work.kill()


@pytest.mark.parametrize(
    ("trainer", "signals"),
    [
        ("CheckingTrainer", [signal.SIGTERM]),
        pytest.param("CheckingTrainer", [signal.SIGINT], marks=pytest.mark.thorough),
        # Interrupted after 5 seconds without a check.
        pytest.param("SleepingTrainer", [signal.SIGTERM], marks=pytest.mark.thorough),
        pytest.param("SleepingTrainer", [signal.SIGINT, signal.SIGINT], marks=pytest.mark.thorough),
        pytest.param("ThreadedTrainer", [signal.SIGTERM], marks=pytest.mark.thorough),
    ],
)
def test_component_stops_or_is_interrupted(
    tmp_path: Path, write_config: WriteConfig, trainer: str, signals: list[signal.Signals]
) -> None:
    root = tmp_path / "root"
    config = write_config({**FAKES, "trainer": {"use": f"tests.support.components:{trainer}"}})
    with start("run", "--config", config, "--root", root) as process:
        wait_for("sleeping", process)
        for number in signals:
            process.send_signal(number)
            time.sleep(1.2)  # sooner, it would count as a repetition of the first
        _, stderr = process.communicate(timeout=50)  # left alone, it sleeps for 60
    assert process.returncode == 143
    assert f"the job was interrupted ({signals[0].name})" in stderr
    assert f"resume:   {python_command()} -m job run --config {config} --root {root}" in stderr
    record: dict[str, Any] = json.loads((root / "runs/latest/run.json").read_text())
    assert (record["outcome"], record["exit_code"]) == ("terminated", 143)
    assert [step["component"] for step in record["steps"]] == SLOTS[:2]
    assert not list(root.rglob("*.partial"))
    assert not list(root.rglob("*lock"))
    again = run_job_process("run", "--config", write_config(FAKES), "--root", root, "--json")
    assert [step["status"] for step in again.record["steps"]] == ["reused", "reused", "ran", "ran", "ran"]

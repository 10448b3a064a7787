"""Checkpoints that are uploaded: a killed job continues on another machine, from the newest complete one.

Real processes receive SIGKILL in each request of an upload, before the server handles it and after.
"""

import hashlib
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts import Epoch
from components.object_storage import ObjectUrl, open_objects
from job.config.config import load_config
from job.reporters.console import ConsoleReporter
from job.reporters.terminal import make_console
from job.runner.runner import Runner
from job.store.remote.root import folder_of
from job.sweep.trial_run import TrialReporter
from tests.conftest import FAKES, Command, WriteConfig, run_job_process
from tests.faults.test_kills import EVERYTHING, EXITS, REST
from tests.support.checkpoint_attempt import FOLDER, state_after
from tests.support.faulty_proxy import FOREVER, Fault, FaultyProxy, Kind
from tests.support.object_servers import Bucket
from tests.support.processes import interfered, results, start_module

STEPS = 3
REQUESTS = 4 * STEPS + 1
"""The content of two files, the record, and a deletion, for each step; the last deletes all."""
PREFIX = f"root/{FOLDER}/"
UPLOADS = r"(PUT|POST|DELETE) .*\.partial|POST .*\?delete"
"""Requests that change checkpoints. A deletion of several objects is a POST to the bucket."""


class Training:
    """A training that continues on a new machine after each kill."""

    def __init__(self, bucket: Bucket, proxy: FaultyProxy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket, self.proxy, self._monkeypatch = bucket, proxy, monkeypatch
        self._folders = (folder / f"machine-{number}" for number in itertools.count())
        self.reached = 0
        """The step of the newest complete record."""

    def run(self, *faults: Fault) -> list[str]:
        """Run an attempt on a new machine, and return what it printed; `faults` may end it."""
        self._monkeypatch.setenv("JOB_CACHE", str(next(self._folders)))
        self.goal = self.reached + STEPS
        process = start_module("tests.support.checkpoint_attempt", f"{self.bucket.url}/root", self.goal)

        def kill(_: str) -> None:
            os.kill(process.pid, signal.SIGKILL)

        self.proxy.plan(
            *(Fault(fault.kind, match=fault.match, skip=fault.skip, count=1, call=kill) for fault in faults)
        )
        printed, problems = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if faults else 0), printed + problems
        lines = printed.splitlines()
        assert int(lines[0]) == self.reached, "it continues from the newest complete checkpoint"
        before, self.reached = self.reached, self.newest()
        is_finished = lines[-1] == hashlib.sha256(state_after(self.goal)).hexdigest()
        assert is_finished or self.reached >= before, "no progress is lost"
        return lines

    def newest(self) -> int:
        """Return the step of the newest record whose files all exist, with their content."""
        objects = {key.removeprefix(PREFIX): data for key, data in self.bucket.objects().items() if PREFIX in key}
        for name in sorted((key for key in objects if key.endswith(".json")), reverse=True):
            files = json.loads(objects[name])["files"]
            keys = {f"{file['attempt']}/{file['sha256']}": file for file in files}
            if all(hashlib.sha256(objects.get(key, b"")).hexdigest() == keys[key]["sha256"] for key in keys):
                return max(int(file["path"].partition("/")[0]) for file in files)
        return 0

    def finish(self) -> None:
        """Run the last attempt, and check its result."""
        assert self.run()[-1] == hashlib.sha256(state_after(self.goal)).hexdigest()
        assert not [key for key in self.bucket.objects() if PREFIX in key]


@pytest.fixture
def training(s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    return Training(s3, s3_proxy, tmp_path, monkeypatch)


@pytest.mark.thorough
def test_killed_attempts_continue_on_other_machines(training: Training) -> None:
    training.run(Fault("reset", match=UPLOADS, skip=4))
    assert training.reached == 1
    training.finish()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["reset", "reset_after"])
def test_kill_in_each_request_of_an_upload(training: Training, kind: Kind) -> None:
    training.run(Fault(kind, match=UPLOADS, skip=8))
    for number in range(REQUESTS):
        training.run(Fault(kind, match=UPLOADS, skip=number))
        assert training.proxy.count(match=UPLOADS) == number + 1
    training.finish()


EPOCHS = {**FAKES, "trainer": {"use": "tests.support.epoch_trainer:EpochTrainer"}}
SAVED = "job.store.remote.staging:RemoteStaging.checkpoint_saved"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Return a function that continues the test on another machine, with its own cache."""
    return lambda number: monkeypatch.setenv("JOB_CACHE", str(tmp_path / f"machine-{number}"))


@pytest.mark.thorough
def test_interrupted_run_uploads_its_last_checkpoint(
    write_config: WriteConfig, s3: Bucket, s3_proxy: FaultyProxy, machine: Callable[[int], None]
) -> None:
    arguments = ("run", "--config", write_config(EPOCHS), "--root", f"{s3.url}/root")
    s3_proxy.plan(Fault("slow", match=r"PUT .*\.partial", seconds=0.3))
    machine(1)
    ended = interfered({"at": "after", "path": SAVED, "count": 3, "do": "TERM"}, *arguments)
    assert ended.returncode == EXITS["TERM"], ended.stderr
    s3_proxy.plan()
    machine(2)
    finished = run_job_process(*arguments)
    assert finished.exit_code == 0, finished.stderr
    assert "resumed at epoch 4" in finished.stdout


@pytest.mark.thorough
def test_interrupted_run_does_not_wait_longer_than_its_limit(
    write_config: WriteConfig, s3: Bucket, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_REMOTE_GRACE", "2")
    s3_proxy.plan(Fault("hang", match=r"PUT .*\.partial", seconds=FOREVER))
    arguments = ("run", "--config", write_config(EPOCHS), "--root", f"{s3.url}/root")
    ended = interfered({"at": "after", "path": SAVED, "count": 3, "do": "TERM"}, *arguments)
    assert ended.returncode == EXITS["TERM"], ended.stderr
    assert "cannot continue from the last checkpoint: the upload did not end in time" in ended.stdout


@pytest.mark.thorough
def test_interrupted_run_ends_when_the_store_stops_responding(
    write_config: WriteConfig, s3: Bucket, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_REMOTE_TIMEOUT", "1000")
    monkeypatch.setenv("JOB_REMOTE_GRACE", "2")
    all_hang = Fault("hang", seconds=FOREVER)
    s3_proxy.plan(replace(all_hang, match=r"PUT .*\.partial", call=lambda _: s3_proxy.plan(all_hang)))
    arguments = ("run", "--config", write_config(EPOCHS), "--root", f"{s3.url}/root")
    began = time.monotonic()
    ended = interfered({"at": "after", "path": SAVED, "count": 3, "do": "TERM"}, *arguments)
    assert ended.returncode == EXITS["TERM"], ended.stderr
    assert time.monotonic() - began < 250, "no timeout has passed"
    assert "cannot continue from the last checkpoint: the upload did not end in time" in ended.stdout
    (record,) = [line.split(maxsplit=1)[1] for line in ended.stdout.splitlines() if line.startswith("record ")]
    assert Path(record).is_file(), "the record was not uploaded"


@pytest.mark.thorough
def test_paused_training_continues_on_another_machine(
    write_config: WriteConfig, s3: Bucket, machine: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(write_config(EPOCHS), root=ObjectUrl.parse(f"{s3.url}/root"))
    machine(1)
    paused = Runner(config, ConsoleReporter(make_console()), should_pause=lambda history: len(history) == 4).run()
    assert paused.outcome == "paused"
    machine(2)
    assert Runner(config, ConsoleReporter(make_console())).run().exit_code == 0
    assert "resumed at epoch 5" in capsys.readouterr().out


@pytest.mark.thorough
def test_sweep_continues_its_paused_trials_on_another_machine(
    write_config: WriteConfig,
    mnist_job: Command,
    s3: Bucket,
    tmp_path: Path,
    machine: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = {"space": {"trainer.quality": [0.3, 0.6, 0.9]}, "halving": {"factor": 3, "epochs": 1}}
    arguments = ("sweep", "--config", write_config({**EPOCHS, "sweep": section}), "--json", "--root")
    undisturbed = mnist_job(*arguments, tmp_path / "undisturbed").record
    machine(1)
    ended = interfered({"at": "after", "path": SAVED, "count": 5, "do": "TERM"}, *arguments, f"{s3.url}/root")
    assert ended.returncode == EXITS["TERM"], ended.stderr
    resumed: list[int] = []

    def resume(reporter: TrialReporter, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG001
        resumed.append(epoch)
        reporter.history = [*history]

    monkeypatch.setattr(TrialReporter, "resumed", resume)
    machine(2)
    finished = mnist_job(*arguments, f"{s3.url}/root").record
    assert finished["ranking"] == undisturbed["ranking"]
    assert resumed[0] == 4, "the first three epochs are those of the first machine"


@pytest.mark.thorough
def test_training_moves_to_another_machine_with_the_same_bits(
    write_config: WriteConfig, s3: Bucket, tmp_path: Path, machine: Callable[[int], None]
) -> None:
    config = write_config({"trainer": {**EVERYTHING, "epochs": 2, "augmentation": {}}, **REST})
    assert run_job_process("run", "--config", config, "--root", tmp_path / "undisturbed").exit_code == 0
    url = ObjectUrl.parse(f"{s3.url}/root")
    arguments = ("run", "--config", config, "--root", url)
    machine(1)
    written = "job.store.remote.checkpoints:RemoteCheckpoints.write"
    killed = interfered({"at": "after", "path": written, "count": 5, "do": "KILL"}, *arguments)
    assert killed.returncode == EXITS["KILL"], killed.stderr
    objects = open_objects(url)  # the lease of a killed run is taken over after a while
    objects.delete([info.key for info in objects.list("artifacts/") if info.key.endswith(".lock")])
    machine(2)
    finished = run_job_process(*arguments)
    assert finished.exit_code == 0, finished.stderr
    assert "resumed at epoch" in finished.stdout
    assert results(folder_of(url)) == results(tmp_path / "undisturbed")

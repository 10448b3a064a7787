"""What a tracker receives, and that it cannot affect the run that it records."""

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import ConfigError, JobError
from components.base.progress import NoProgress
from components.base.termination import NoTermination, Termination
from components.base.text import redact
from job.config.config import load_config
from job.store.records import RunRecord, StepRecord
from job.store.sealed import SealedArtifact
from job.tracking.listener import TrackingListener
from job.tracking.tracker import BackgroundTracker, Tracker
from tests.conftest import SLOTS, Command, CommandResult, WriteConfig
from tests.support.cases import parametrize_sample
from tests.support.processes import REPOSITORY, environment, results, wait_until
from tests.support.schema import validator
from tests.support.trackers import EPOCHS, METHODS, FakeTracker

STEPS = [f"end_step {slot}" for slot in SLOTS]


Track = Callable[..., None]


@pytest.fixture
def track_with(monkeypatch: pytest.MonkeyPatch) -> Track:
    """Let runs be recorded by the given trackers, named tool0, tool1 and so on."""

    def track(*trackers: Tracker, **limits: Any) -> None:
        factories = {f"tool{number}": partial(_itself, tracker) for number, tracker in enumerate(trackers)}
        monkeypatch.setattr("job.runner.runner.tracker_factories", lambda *_: factories)
        monkeypatch.setattr("job.runner.runner.TrackingListener", partial(TrackingListener, **limits))

    return track


def _itself(tracker: Tracker, run_id: str) -> Tracker:  # noqa: ARG001
    return tracker


def warnings_of(outcome: CommandResult) -> list[str]:
    return [line for line in outcome.stdout.splitlines() if "warning" in line]


def warning(reason: str) -> str:
    return (
        f"warning: tool0 stopped tracking; the run is not affected: {reason}; "
        "fix this before the next run, or remove tracking.tool0"
    )


def test_tracker_receives_a_run_from_begin_to_end(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, track_with: Track
) -> None:
    track_with(tracker := FakeTracker())
    outcome = mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root", "--json")
    first, *rest = tracker.calls
    assert first == f"begin {outcome.record['run_id']}"
    epochs = [f"end_epoch {number}" for number in (1, 2, 3)]
    assert rest == [*STEPS[:2], *epochs, *STEPS[2:], "end succeeded"]
    assert tracker.record is not None
    assert tracker.record.exit_code == 0
    assert outcome.record["tracking"] == {"tool0": "here"}
    assert "tool0         here" in outcome.stderr.splitlines()


@parametrize_sample(
    2,
    "trainer",
    [{}, {"done": 2}, {"done": 3}, {"done": 1, "reports_history": False}],
    ids=["trained", "resumed", "resumed after its end", "resumed by a trainer without history"],
)
def test_tracker_receives_each_epoch_once_in_order(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, track_with: Track, trainer: dict[str, Any]
) -> None:
    config = write_config({**EPOCHS, "trainer": {**EPOCHS["trainer"], **trainer}})
    for status in ("ran", "reused"):
        track_with(tracker := FakeTracker())
        outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--json")
        assert outcome.record["steps"][2]["status"] == status
        assert tracker.epochs == [1, 2, 3]


def test_tracker_receives_the_end_of_a_failed_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, track_with: Track
) -> None:
    track_with(tracker := FakeTracker())
    config = write_config({**EPOCHS, "trainer": {"use": "tests.support.components:BrokenTrainer"}})
    assert mnist_job("run", "--config", config, "--root", tmp_path / "root").exit_code == 1
    assert tracker.calls[1:] == [*STEPS[:2], "end failed"]
    assert tracker.record is not None
    assert tracker.record.failure is not None


@parametrize_sample(1, "method", METHODS)
@pytest.mark.parametrize(
    ("accuracy", "error"),
    [(1.0, RuntimeError("broken\nin two lines")), pytest.param(0.5, SystemExit("broken"), marks=pytest.mark.thorough)],
    ids=str,
)
def test_failing_tracker_causes_one_warning_only(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    track_with: Track,
    method: str,
    accuracy: float,
    error: BaseException,
) -> None:
    config = write_config({**EPOCHS, "evaluator": {**EPOCHS["evaluator"], "accuracy": accuracy}})
    untracked = mnist_job("run", "--config", config, "--root", tmp_path / "untracked")
    track_with(broken := FakeTracker(fails_in=method, error=error), working := FakeTracker())
    tracked = mnist_job("run", "--config", config, "--root", tmp_path / "tracked")
    assert tracked.exit_code == untracked.exit_code == (0 if accuracy == 1 else 4)
    assert results(tmp_path / "tracked") == results(tmp_path / "untracked")
    assert warnings_of(tracked) == [warning(f"{type(error).__name__}: broken")]
    assert broken.calls[-1].startswith(f"{method} ")
    assert len([line for line in broken.calls if line.startswith(f"{method} ")]) == 1, "it receives no more calls"
    assert broken.aborts == [f"{type(error).__name__}: broken"]
    assert len(working.calls) == 1 + 3 + 5 + 1, "the other one receives all"
    assert working.aborts == []


@parametrize_sample(
    1,
    "method",
    ["begin", "end", *(pytest.param(each, marks=pytest.mark.thorough) for each in ("end_epoch", "end_step"))],
)
def test_hanging_tracker_delays_only_the_end_of_the_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, track_with: Track, method: str
) -> None:
    untracked = mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "untracked")
    hanging = FakeTracker(fails_in=method, waits_for=(released := threading.Event()))
    track_with(hanging, wait_seconds=1.0, quiet_seconds=0.2)
    started = time.monotonic()
    tracked = mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root")
    assert time.monotonic() - started < 10
    assert tracked.exit_code == untracked.exit_code == 0
    assert results(tmp_path / "root") == results(tmp_path / "untracked")
    assert warnings_of(tracked) == [warning("it did not finish within 1 s")]
    lines = tracked.stdout.splitlines()
    assert "waiting for tool0 to record the run, at most 1 s" in tracked.stdout
    assert "tool0         here (incomplete)" in lines[lines.index(warnings_of(tracked)[0]) :]
    record = json.loads((tmp_path / "root/runs/latest/run.json").read_text())
    assert record["tracking"] == {"tool0": "here (incomplete)"}
    released.set()
    calls = [*hanging.calls]
    wait_until(lambda: hanging.aborts, lambda: "it was not aborted", seconds=10)
    assert hanging.calls == calls, "it receives no more calls"


class Requested(NoTermination):
    requested = True


class Warnings(NoProgress):
    """A reporter that collects warnings, and that only its own thread may call."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._thread = threading.current_thread()

    def warning(self, text: str) -> None:
        assert threading.current_thread() is self._thread
        self.warnings.append(text)

    def begin(self, record: RunRecord, directory: Path) -> None: ...

    def begin_step(self, slot: str) -> None: ...

    def begin_part(self, part: str) -> None: ...

    def waiting(self, owner: str) -> None: ...

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None: ...

    def end(self, record: RunRecord, directory: Path) -> None: ...

    def failed(self, error: JobError, *, resume: str) -> None: ...


def listen(
    reporter: Warnings, tracker: Tracker, termination: Termination | None = None, **limits: Any
) -> TrackingListener:
    """Return a listener whose only tracker has received that a run has begun."""
    factories = {"it": partial(_itself, tracker)}
    listener = TrackingListener(reporter, factories, termination or NoTermination(), **limits)
    listener.begin(RUN, Path())
    return listener


def send_epoch(listener: TrackingListener, epoch: int) -> None:
    listener.epoch_begin(epoch=epoch, epochs=1000, steps=1)
    listener.epoch_end(metrics=METRICS)


def test_terminated_job_waits_less_at_the_end(tmp_path: Path) -> None:
    blocked = FakeTracker(fails_in="begin", waits_for=(released := threading.Event()))
    listener = listen(reporter := Warnings(), blocked, Requested(), hurried_wait_seconds=0.3)
    started = time.monotonic()
    listener.finish(RUN, tmp_path)
    assert 0.2 < time.monotonic() - started < 5
    released.set()
    assert len(reporter.warnings) == 1


def test_failure_is_reported_during_the_run() -> None:
    listener = listen(reporter := Warnings(), FakeTracker(fails_in="begin"))
    epochs = itertools.count(1)

    def is_reported() -> bool:
        send_epoch(listener, next(epochs))
        return bool(reporter.warnings)

    wait_until(is_reported, lambda: "it was not reported", seconds=10)
    assert listener.locations == {"it": "here (incomplete)"}


def test_slow_tracker_does_not_fill_the_memory() -> None:
    blocked = FakeTracker(fails_in="begin", waits_for=(released := threading.Event()))
    listener = listen(reporter := Warnings(), blocked, queue_size=3)
    for epoch in range(1, 10):
        send_epoch(listener, epoch)
    (message,) = reporter.warnings
    assert "3 updates are waiting" in message
    released.set()


def test_process_exits_while_a_tracker_hangs() -> None:
    script = (
        "import time; from job.tracking.tracker import BackgroundTracker;"
        "from tests.support.trackers import FakeTracker;"
        "BackgroundTracker('it', FakeTracker()).submit(lambda tracker: time.sleep(600)); print('done')"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_failure_is_reported_without_passwords() -> None:
    error = OSError("no response from http://me:se@cret@127.0.0.1:9/api, postgresql://h/db?user=me&password=secret")
    background = BackgroundTracker("it", FakeTracker(fails_in="end_epoch", error=error))
    background.submit(lambda tracker: tracker.end_epoch(1, METRICS))
    background.join(10)
    assert background.error == (
        "OSError: no response from http://127.0.0.1:9/api, postgresql://h/db?user=me&password=***"
    )
    assert redact("sqlite:////home/me@work/mlflow.db") == "sqlite:////home/me@work/mlflow.db"


class _Run:
    run_id = "a run"
    name = None
    continues = None
    outcome = "terminated"


RUN: Any = _Run()
METRICS = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), 0.5)


def test_tracking_does_not_change_fingerprints(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, track_with: Track
) -> None:
    arguments = ("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root", "--json")
    assert "tracking" not in mnist_job(*arguments).record["config"]
    track_with()
    record = mnist_job(*arguments, "--set", "tracking.mlflow.experiment=another").record
    assert [step["status"] for step in record["steps"]] == ["reused"] * 5
    assert record["config"]["tracking"] == {"mlflow": {"experiment": "another", "model": True}}
    assert load_config(write_config(record["config"])).resolved() == record["config"]


@pytest.mark.parametrize(
    "tracking",
    [
        *(None, {}, {"tensorboard": None}, {"tensorboard": {}}),
        *({"mlflow": {"uri": uri}} for uri in ("http://somewhere", "postgresql://me@host/db", "sqlite:////a@b/c:d@e")),
    ],
)
def test_schema_accepts_valid_sections(tracking: Any, write_config: WriteConfig) -> None:
    validator().validate({"tracking": tracking})
    config = load_config(write_config({"tracking": tracking})).tracking
    assert (config.tensorboard is not None) == (tracking == {"tensorboard": {}})


@pytest.mark.parametrize(
    ("tracking", "message", "remedy"),
    [
        ("on", "config.yaml:1: tracking is 'on'", "indent its keys below it"),
        ({"mlfow": {}}, "config.yaml:2: tracking.mlfow is not a key", "did you mean tracking.mlflow?"),
        ({"use": "a:B"}, "config.yaml:2: tracking.use is not a key", "remove it"),
        ({"mlflow": {"url": "x"}}, "config.yaml:3: tracking.mlflow.url is not", "did you mean tracking.mlflow.uri?"),
        ({"mlflow": True}, "config.yaml:2: tracking.mlflow is true", "write `mlflow: {uri: ...}`"),
        ({"mlflow": {"experiment": ""}}, "config.yaml:3: tracking.mlflow.experiment is ''", "set tracking.mlflow"),
        *(
            (
                {"mlflow": {"uri": uri}},
                "contains a password or token, which run.json would record",
                "set MLFLOW_TRACKING_URI",
            )
            for uri in (
                "http://me:secret@x",
                "https://secret@x",
                "databricks://secret@x",
                "postgresql://me:sec/secret@x/db",
                "postgresql://x/db?user=me&password=secret",
            )
        ),
    ],
)
def test_invalid_section_is_reported_with_its_line(
    tracking: Any, message: str, remedy: str, write_config: WriteConfig
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config({"tracking": tracking}))
    assert message in caught.value.headline
    assert remedy in caught.value.remedy
    assert "secret" not in f"{caught.value.headline}{caught.value.expected}{caught.value.remedy}"


@pytest.mark.parametrize(
    ("tool", "module"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow"), ("mlflow", "sqlalchemy")]
)
def test_missing_extra_is_reported_before_the_run(
    mnist_job: Command, fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # so that it cannot be imported
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--set", f"tracking.{tool}={{}}")
    assert outcome.exit_code == 2
    assert f"error: tracking.{tool} is on, but {module} is not installed" in outcome.stderr
    assert "make extras" in outcome.stderr
    assert f"pip install -e '.[{tool}]'" in outcome.stderr
    assert not (tmp_path / "root").exists()


LISTED = """
import sys
connected = []
sys.addaudithook(lambda event, arguments: event in ("socket.connect", "socket.getaddrinfo") and connected.append(event))
from job.cli import app
try:
    app(sys.argv[1:], prog_name="mnist-job")
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), *connected)
"""


@pytest.mark.parametrize(
    "tools",
    [
        pytest.param((), marks=pytest.mark.thorough),
        ("tensorboard",),
        pytest.param(("mlflow",), marks=pytest.mark.thorough),
    ],
    ids=str,
)
def test_tools_are_imported_only_if_on_and_stay_offline(
    tools: tuple[str, ...], write_config: WriteConfig, tmp_path: Path
) -> None:
    config = write_config({**EPOCHS, "tracking": {tool: {} for tool in tools}})
    command = [sys.executable, "-c", LISTED, "run", "--config", str(config), "--root", str(tmp_path / "root")]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True)
    loaded = {*done.stdout.splitlines()[-1].split()}
    assert loaded & {"tensorboard", "mlflow", "sqlalchemy", "alembic"} == {
        "tensorboard": {"tensorboard"},
        "mlflow": {"mlflow", "sqlalchemy", "alembic"},
    }.get(next(iter(tools), ""), set())
    assert "tensorflow" not in loaded
    assert not loaded & {"socket.connect", "socket.getaddrinfo"}
    assert "warning:" not in done.stdout
    assert done.stderr == "", "the libraries print nothing"

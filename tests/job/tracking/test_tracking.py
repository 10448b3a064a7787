"""Following a run: what a tracker hears, and that none of them can harm the run that it follows."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.base.errors import ConfigError
from components.base.progress import NoProgress
from components.base.termination import NoTermination, Termination
from job.config.config import load_config
from job.config.schema import config_schema
from job.config.tracking import TrackingConfig
from job.reporters.listener import RunListener
from job.tracking import background, trackers
from job.tracking.background import InThread
from job.tracking.redact import without_passwords
from job.tracking.tracker import Tool, Tracker
from job.tracking.trackers import Trackers
from tests.conftest import SLOTS, Command, CommandResult, WriteConfig
from tests.support.processes import REPOSITORY, environment, results, wait_until
from tests.support.trackers import EPOCHS, METHODS, Keeping

STEPS = [f"end_step {slot}" for slot in SLOTS]


@pytest.fixture
def followed_by(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let runs be followed by some tools, named tool0, tool1 and so on."""

    def follow(*tools: Tool) -> None:
        def make(config: TrackingConfig, root: Path, report: RunListener, termination: Termination) -> Tracker:  # noqa: ARG001
            makers = {f"tool{number}": partial(_itself, tool) for number, tool in enumerate(tools)}
            return Trackers(makers, report, termination)

        monkeypatch.setattr("job.runner.runner.make_tracker", make)

    return follow


def _itself(tool: Tool, run_id: str) -> Tool:  # noqa: ARG001
    return tool


def warnings_of(outcome: CommandResult) -> list[str]:
    return [line for line in outcome.stdout.splitlines() if "warning" in line]


def warning(why: str) -> str:
    return (
        f"warning: tool0 does not follow the run any more, which takes no harm: {why}; "
        "see to that before the next run, or take tracking.tool0 away"
    )


def test_a_tracker_hears_a_run_from_beginning_to_end(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, followed_by: Callable[..., None]
) -> None:
    followed_by(tracker := Keeping())
    outcome = mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root", "--json")
    begun, *rest = tracker.heard
    assert begun == f"begin {outcome.record['run_id']}"
    epochs = [f"end_epoch {number}" for number in (1, 2, 3)]
    assert rest == [*STEPS[:2], *epochs, *STEPS[2:], "end succeeded"]
    assert tracker.record is not None
    assert tracker.record.exit_code == 0
    assert outcome.record["tracking"] == {"keeping": "here"}
    assert "keeping       here" in outcome.stderr.splitlines()


@pytest.mark.parametrize(
    "trainer",
    [{}, {"done": 2}, {"done": 3}, {"done": 1, "tells_history": False}],
    ids=["trained", "resumed", "resumed when it was done", "resumed by a trainer that tells no history"],
)
def test_each_epoch_is_told_once_and_in_order(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    followed_by: Callable[..., None],
    trainer: dict[str, Any],
) -> None:
    config = write_config({**EPOCHS, "trainer": {**EPOCHS["trainer"], **trainer}})
    for status in ("ran", "reused"):
        followed_by(tracker := Keeping())
        outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--json")
        assert outcome.record["steps"][2]["status"] == status
        assert tracker.epochs == [1, 2, 3]


def test_a_run_that_fails_has_an_end_too(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, followed_by: Callable[..., None]
) -> None:
    followed_by(tracker := Keeping())
    config = write_config({**EPOCHS, "trainer": {"use": "tests.support.components:BrokenTrainer"}})
    assert mnist_job("run", "--config", config, "--root", tmp_path / "root").exit_code == 1
    assert tracker.heard[1:] == [*STEPS[:2], "end failed"]
    assert tracker.record is not None
    assert tracker.record.failure is not None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("accuracy", "error"), [(1.0, RuntimeError("broken\nin two lines")), (0.5, SystemExit("broken"))], ids=str
)
def test_a_tracker_that_fails_is_told_once_and_changes_nothing(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    followed_by: Callable[..., None],
    method: str,
    accuracy: float,
    error: BaseException,
) -> None:
    config = write_config({**EPOCHS, "evaluator": {**EPOCHS["evaluator"], "accuracy": accuracy}})
    untracked = mnist_job("run", "--config", config, "--root", tmp_path / "untracked")
    followed_by(broken := Keeping(fails_in=method, error=error), whole := Keeping())
    tracked = mnist_job("run", "--config", config, "--root", tmp_path / "tracked")
    assert tracked.exit_code == untracked.exit_code == (0 if accuracy == 1 else 4)
    assert results(tmp_path / "tracked") == results(tmp_path / "untracked")
    assert warnings_of(tracked) == [warning(f"{type(error).__name__}: broken")]
    assert broken.heard[-1].startswith(f"{method} ")
    assert len([line for line in broken.heard if line.startswith(f"{method} ")]) == 1, "it hears no more"
    assert broken.gave_up == [f"{type(error).__name__}: broken"]
    assert len(whole.heard) == 1 + 3 + 5 + 1, "the other one hears all"
    assert whole.gave_up == []


@pytest.mark.parametrize("method", METHODS)
def test_a_tracker_that_hangs_holds_nothing_up_but_the_end_for_a_while(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    followed_by: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    monkeypatch.setattr(trackers, "PATIENCE", 1.0)
    monkeypatch.setattr(trackers, "SILENCE", 0.2)
    untracked = mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "untracked")
    followed_by(hanging := Keeping(fails_in=method, waits_for=(released := threading.Event())))
    began = time.monotonic()
    tracked = mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root")
    assert time.monotonic() - began < 10
    assert tracked.exit_code == untracked.exit_code == 0
    assert results(tmp_path / "root") == results(tmp_path / "untracked")
    assert warnings_of(tracked) == [warning("it did not hear how the run ended within 1 s")]
    lines = tracked.stdout.splitlines()
    assert "tool0 still has to hear how the run went; waits until it has, 1 s at most" in tracked.stdout
    assert "keeping       here (not followed to its end)" in lines[lines.index(warnings_of(tracked)[0]) :]
    record = json.loads((tmp_path / "root/runs/latest/run.json").read_text())
    assert record["tracking"] == {"keeping": "here (not followed to its end)"}
    released.set()
    heard = [*hanging.heard]
    wait_until(lambda: hanging.gave_up, lambda: "it did not give up", seconds=10)
    assert hanging.heard == heard, "and it hears no more"


class Asked(NoTermination):
    requested = True


class Hearing(NoProgress):
    """A report that keeps the warnings, and that nobody else may tell anything."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._thread = threading.current_thread()

    def warning(self, text: str) -> None:
        assert threading.current_thread() is self._thread
        self.warnings.append(text)


def test_the_end_of_a_job_that_was_asked_to_end_waits_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trackers, "HASTE", 0.3)
    hanging = Keeping(fails_in="begin", waits_for=(released := threading.Event()))
    following = Trackers({"it": lambda _: hanging}, report := Hearing(), Asked())  # type: ignore[arg-type]
    following.begin(RUN)
    began = time.monotonic()
    following.end(RUN, tmp_path)
    assert 0.2 < time.monotonic() - began < 5
    released.set()
    assert len(report.warnings) == 1


def test_a_failure_is_told_while_the_run_goes_on() -> None:
    following = Trackers({"it": lambda _: Keeping(fails_in="begin")}, report := Hearing(), NoTermination())  # type: ignore[arg-type]
    following.begin(RUN)

    def told() -> bool:
        following.end_epoch(1, METRICS)
        return bool(report.warnings)

    wait_until(told, lambda: "it was not told", seconds=10)
    assert following.places == {"keeping": "here (not followed to its end)"}


def test_a_tool_that_cannot_keep_up_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MOST_WAITING", 3)
    hanging = Keeping(fails_in="begin", waits_for=(released := threading.Event()))
    following = Trackers({"it": lambda _: hanging}, report := Hearing(), NoTermination())  # type: ignore[arg-type]
    following.begin(RUN)
    for epoch in range(1, 10):
        following.end_epoch(epoch, METRICS)
    (said,) = report.warnings
    assert "it is 3 calls behind" in said
    released.set()


def test_a_process_ends_though_a_tool_hangs() -> None:
    script = (
        "import time; from job.tracking.background import InThread; from tests.support.trackers import Keeping;"
        "InThread('it', Keeping()).tell(lambda tool: time.sleep(600)); print('done')"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_what_is_told_of_a_failure_has_no_password_in_it() -> None:
    error = OSError("no answer from http://me:se@cret@127.0.0.1:9/api, postgresql://h/db?user=me&password=secret")
    tool = InThread("it", Keeping(fails_in="end_epoch", error=error))
    tool.tell(lambda it: it.end_epoch(1, METRICS))
    tool.wait(10)
    assert tool.failure == "OSError: no answer from http://127.0.0.1:9/api, postgresql://h/db?user=me&password=***"
    assert without_passwords("sqlite:////home/me@work/mlflow.db") == "sqlite:////home/me@work/mlflow.db"


class _Begun:
    run_id = "a run"
    outcome = "terminated"


RUN: Any = _Begun()
METRICS = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), 0.5)


def test_tracking_decides_nothing(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, followed_by: Callable[..., None]
) -> None:
    arguments = ("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root", "--json")
    assert "tracking" not in mnist_job(*arguments).record["config"]
    followed_by()
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
def test_the_schema_takes_what_the_job_takes(tracking: Any, write_config: WriteConfig) -> None:
    jsonschema.validate({"tracking": tracking}, config_schema())
    config = load_config(write_config({"tracking": tracking})).tracking
    assert (config.tensorboard is not None) == (tracking == {"tensorboard": {}})


@pytest.mark.parametrize(
    ("tracking", "says", "remedy"),
    [
        ("on", "config.yaml:1: tracking is 'on'", "indent its keys below it"),
        ({"mlfow": {}}, "config.yaml:2: tracking.mlfow is not a key", "did you mean tracking.mlflow?"),
        ({"use": "a:B"}, "config.yaml:2: tracking.use is not a key", "take it away"),
        ({"mlflow": {"url": "x"}}, "config.yaml:3: tracking.mlflow.url is not", "did you mean tracking.mlflow.uri?"),
        ({"mlflow": True}, "config.yaml:2: tracking.mlflow is true", "write `mlflow: {uri: ...}`"),
        ({"mlflow": {"experiment": ""}}, "config.yaml:3: tracking.mlflow.experiment is ''", "set tracking.mlflow"),
        *(
            ({"mlflow": {"uri": uri}}, "a password or token in it would stand in run.json", "change tracking")
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
def test_a_mistake_is_told_with_its_place(tracking: Any, says: str, remedy: str, write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config({"tracking": tracking}))
    assert says in caught.value.headline
    assert remedy in caught.value.remedy
    assert "secret" not in f"{caught.value.headline}{caught.value.expected}{caught.value.remedy}"


@pytest.mark.parametrize(
    ("tool", "module"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow"), ("mlflow", "sqlalchemy")]
)
def test_a_missing_extra_is_told_before_anything_runs(
    mnist_job: Command, fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # which is how Python says that there is none
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--set", f"tracking.{tool}={{}}")
    assert outcome.exit_code == 2
    assert f"error: tracking.{tool} is on, and {module} is not installed" in outcome.stderr
    assert "make extras" in outcome.stderr
    assert f"pip install 'mnist-job[{tool}]'" in outcome.stderr
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


@pytest.mark.parametrize("tools", [(), ("tensorboard",), ("mlflow",)], ids=str)
def test_a_tool_is_imported_only_if_it_is_on_and_nothing_goes_over_the_network(
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
    assert done.stderr == "", "they keep quiet"

"""Following a run: what a tracker hears, and that none of them can harm the run that it follows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.errors import ConfigError, TerminationError
from job.config import load_config
from job.schema import config_schema
from job.signals import BrokenOff
from job.tracking.config import TrackingConfig
from job.tracking.guarded import Guarded
from job.tracking.several import Trackers
from job.tracking.tracker import NoTracker, Tracker
from tests.conftest import SLOTS, Command, WriteConfig
from tests.support.processes import REPOSITORY, environment, results
from tests.support.trackers import EPOCHS, METHODS, Keeping

STEPS = [f"end_step {slot}" for slot in SLOTS]


@pytest.fixture
def followed_by(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let runs be followed by some trackers, each guarded."""

    def follow(*trackers: Tracker) -> None:
        def make(config: TrackingConfig, root: Path, warning: Callable[[str], None]) -> Tracker:  # noqa: ARG001
            return Trackers([Guarded("it", partial(_itself, tracker), warning) for tracker in trackers])

        monkeypatch.setattr("job.runner.make_tracker", make)

    return follow


def _itself(tracker: Tracker) -> Tracker:
    return tracker


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
@pytest.mark.parametrize("accuracy", [1.0, 0.5])
def test_a_tracker_that_fails_is_told_once_and_changes_nothing(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    followed_by: Callable[..., None],
    method: str,
    accuracy: float,
) -> None:
    config = write_config({**EPOCHS, "evaluator": {**EPOCHS["evaluator"], "accuracy": accuracy}})
    untracked = mnist_job("run", "--config", config, "--root", tmp_path / "untracked")
    followed_by(broken := Keeping(fails_in=method), whole := Keeping())
    tracked = mnist_job("run", "--config", config, "--root", tmp_path / "tracked")
    assert tracked.exit_code == untracked.exit_code == (0 if accuracy == 1 else 4)
    assert results(tmp_path / "tracked") == results(tmp_path / "untracked")
    warnings = [line for line in tracked.stdout.splitlines() if "warning" in line]
    assert warnings == ["warning: it does not follow the run any more, which goes on: RuntimeError: broken"]
    assert broken.heard[-1].startswith(f"{method} ")
    assert len([line for line in broken.heard if line.startswith(f"{method} ")]) == 1, "it hears no more"
    assert len(whole.heard) == 1 + 3 + 5 + 1, "the other one hears all"


@pytest.mark.parametrize("ending", [BrokenOff(TerminationError("the job was asked to end")), SystemExit(3)])
def test_what_ends_the_run_is_no_failure_of_a_tracker(ending: BaseException) -> None:
    warnings: list[str] = []
    tracker = Guarded("it", lambda: Keeping(fails_in="end_epoch", error=ending), warnings.append)
    tracker.begin(record=_Begun())  # type: ignore[arg-type]
    metrics = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), 0.5)
    with pytest.raises(type(ending)):
        tracker.end_epoch(1, metrics)
    assert warnings == []


class _Begun:
    run_id = "a run"


def test_tracking_decides_nothing(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, followed_by: Callable[..., None]
) -> None:
    arguments = ("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root", "--json")
    assert "tracking" not in mnist_job(*arguments).record["config"]
    followed_by(NoTracker())
    record = mnist_job(*arguments, "--set", "tracking.mlflow.experiment=another").record
    assert [step["status"] for step in record["steps"]] == ["reused"] * 5
    assert record["config"]["tracking"] == {"mlflow": {"experiment": "another", "model": True}}
    assert load_config(write_config(record["config"])).resolved() == record["config"]


@pytest.mark.parametrize(
    "tracking", [None, {}, {"tensorboard": None}, {"tensorboard": {}}, {"mlflow": {"uri": "http://somewhere"}}]
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
        ({"mlflow": {"uri": "http://me:secret@x"}}, "a password in it would stand in run.json", "change tracking"),
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

"""MLflow: what its client reads back, and runs whose store or server fails."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.base.hashing import file_sha256
from job.config.tracking import MlflowConfig
from job.tracking.listener import TrackingListener
from job.tracking.mlflow_client import (
    ALLOW_FILE_STORE,
    ENVIRONMENT_DEFAULTS,
    MAX_PARAMETER_LENGTH,
    URI_VARIABLE,
    acquire_within,
    open_client,
    sanitize_keys,
)
from job.tracking.mlflow_tracker import MlflowTracker
from tests.conftest import FAKES, SLOTS, Command, CommandResult, WriteConfig
from tests.support.cases import parametrize_sample
from tests.support.components import EpochsTrainer
from tests.support.processes import REPOSITORY, environment, interfered, results, wait_until
from tests.support.trackers import EPOCHS

TRACKED: dict[str, Any] = {**EPOCHS, "tracking": {"mlflow": {}}}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy's, by MLflow
WARNING = "warning: mlflow stopped tracking; the run is not affected: "


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset MLflow's variables, and restore them after the test."""
    for name in (*ENVIRONMENT_DEFAULTS, ALLOW_FILE_STORE, URI_VARIABLE):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with the tables of MLflow, which takes seconds to make, and no runs: only copy it."""
    database = tmp_path_factory.mktemp("empty") / "mlflow.db"
    open_client(f"sqlite:///{database}")
    return database


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> str:
    """Return the URI of a database that the tests share."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path_factory.mktemp('store'))}"


Track = Callable[..., CommandResult]


@pytest.fixture
def track(mnist_job: Command, write_config: WriteConfig, tmp_path: Path, store: str) -> Track:
    """Run a job in `root` that is tracked in the shared store, in an experiment named after the test's folder."""

    def run(change: dict[str, Any] | None = None, *arguments: str) -> CommandResult:
        tracking = {"mlflow": {"uri": store, "experiment": tmp_path.name}}
        config = write_config({**EPOCHS, "tracking": tracking, **(change or {})})
        return mnist_job("run", "--config", config, "--root", tmp_path / "root", "--json", *arguments)

    return run


def limit_wait(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Limit the time that the end of a run waits for trackers."""
    monkeypatch.setattr("job.runner.runner.TrackingListener", partial(TrackingListener, wait_seconds=seconds))


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


def only_run(uri: str, experiment: str) -> tuple[Any, Any]:
    """Return a client and the only run of an experiment."""
    reading = client(uri)
    (run,) = reading.search_runs([reading.get_experiment_by_name(experiment).experiment_id])
    return reading, run


def run_of(uri: str, experiment: str, run_id: str) -> Any:
    """Return the run of an experiment with the name of a job's run."""
    reading = client(uri)
    ids = [reading.get_experiment_by_name(experiment).experiment_id]
    (run,) = [run for run in reading.search_runs(ids) if run.info.run_name == run_id]
    return run


def stored_files(reading: Any, run: Any, path: str = "") -> set[str]:
    """Return the paths of all artifacts of a run."""
    found: set[str] = set()
    for entry in reading.list_artifacts(run.info.run_id, path):
        found |= stored_files(reading, run, entry.path) if entry.is_dir else {entry.path}
    return found


@pytest.mark.parametrize(
    "kind", ["database", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in ("new database", "files"))]
)
def test_mlflow_returns_the_recorded_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, empty_database: Path, kind: str
) -> None:
    root = tmp_path / "a root"
    root.mkdir()
    if kind == "database":
        shutil.copy(empty_database, root)
    uri = f"file:{tmp_path}/store" if kind == "files" else f"sqlite:///{root}/mlflow.db"
    options = ["--set", f"tracking.mlflow.uri={uri}"] if kind == "files" else []
    outcome = mnist_job("run", "--config", write_config(TRACKED), "--root", root, "--json", *options)
    record = outcome.record
    assert outcome.exit_code == 0
    assert f"mlflow        {uri}, experiment mnist-job, run {record['run_id']}\n" in outcome.stderr
    assert "warning" not in outcome.stderr
    reading, run = only_run(uri, "mnist-job")
    assert (run.info.run_name, run.info.status) == (record["run_id"], "FINISHED")
    params = run.data.params
    assert params["trainer.epochs"] == "3"
    assert params["evaluator.minimum"] == "0.9"
    assert params["trainer.use"] == "tests.support.components:EpochsTrainer"
    assert not [name for name in params if name.startswith("tracking")]
    for name, values in {"loss": [1, 0.5, 1 / 3], "val_loss": [2, 1, 2 / 3], "learning_rate": [0.125] * 3}.items():
        history = sorted(reading.get_metric_history(run.info.run_id, name), key=lambda point: point.step)
        assert [(point.step, point.value) for point in history] == [*zip((1, 2, 3), values, strict=True)]
        assert run.info.start_time <= history[0].timestamp <= run.info.end_time
    assert run.data.metrics["test_accuracy"] == record["metrics"]["accuracy"]
    assert run.data.metrics["test_accuracy_interval.low"] == record["metrics"]["accuracy_interval"]["low"]
    assert not [name for name in run.data.metrics if name.endswith("confidence")], "it is configured, not measured"


def test_name_and_note_are_shown(track: Track, tmp_path: Path, store: str) -> None:
    record = track(None, "--name", "wide", "--note", "first try").record
    _, run = only_run(store, tmp_path.name)
    assert run.info.run_name == f"wide-{record['run_id']}"
    assert (run.data.tags["name"], run.data.tags["mlflow.note.content"]) == ("wide", "first try")


def test_artifacts_are_the_sealed_files(track: Track, tmp_path: Path, store: str) -> None:
    track({"trainer": {"use": "components.testing:FakeTrainer", "saved_model": True}})
    reading, run = only_run(store, tmp_path.name)
    latest = tmp_path / "root" / "runs" / "latest"
    sealed = {
        f"{folder}/{entry['path']}": entry["sha256"]
        for folder, slot in (("model", "trainer"), ("figures", "visualizer"))
        for entry in json.loads((latest / slot / "manifest.json").read_text())["files"]
    }
    assert "model/saved_model/variables/variables.index" in sealed
    assert stored_files(reading, run) == {*sealed, "run.json"}
    for path, digest in sealed.items():
        assert file_sha256(Path(reading.download_artifacts(run.info.run_id, path, str(tmp_path)))) == digest
    record = json.loads(Path(reading.download_artifacts(run.info.run_id, "run.json", str(tmp_path))).read_text())
    assert record == json.loads((latest / "run.json").read_text())
    assert record["outcome"] == "succeeded"


def test_tags_contain_the_lineage(track: Track, tmp_path: Path, store: str) -> None:
    outcome = track()
    tags = only_run(store, tmp_path.name)[1].data.tags
    for slot in SLOTS:
        manifest = json.loads((tmp_path / "root" / "runs" / "latest" / slot / "manifest.json").read_text())
        assert tags[f"lineage.{slot}"] == manifest["digest"]
        assert tags[f"fingerprint.{slot}"] == manifest["fingerprint"]
    assert tags["run_id"] == outcome.record["run_id"]
    assert tags["source.title"] == "made-up squares"
    assert (tags["outcome"], tags["blessed"], tags["rubber_stamped"], tags["best_epoch"]) == (
        *("succeeded", "true", "true", "2"),
    )
    assert tags["environment.python"] == outcome.record["environment"]["python"]


@pytest.mark.thorough
def test_another_process_finds_run_by_lineage(track: Track, tmp_path: Path, store: str) -> None:
    record = track().record
    digest = record["steps"][2]["digest"]
    script = (
        "import sys; from mlflow import MlflowClient; client = MlflowClient(sys.argv[1]);"
        "ids = [client.get_experiment_by_name(sys.argv[3]).experiment_id];"
        "(run,) = client.search_runs(ids, filter_string=f\"tags.`lineage.trainer` = '{sys.argv[2]}'\");"
        "print(run.info.run_name, len(client.get_metric_history(run.info.run_id, 'val_accuracy')))"
    )
    command = [sys.executable, "-c", script, store, digest, tmp_path.name]
    environ = {**environment(), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"{record['run_id']} 3\n"


@parametrize_sample(
    1,
    ("change", "exit_code", "status", "outcome"),
    [
        ({"evaluator": {**FAKES["evaluator"], "accuracy": 0.5}}, 4, "FINISHED", "not_blessed"),
        ({"trainer": {"use": "tests.support.components:BrokenTrainer"}}, 1, "FAILED", "failed"),
        ({"trainer": {"use": "tests.support.components:EndedTrainer"}}, 143, "KILLED", "terminated"),
    ],
)
def test_status_is_the_outcome_of_the_run(
    track: Track, tmp_path: Path, store: str, change: dict[str, Any], exit_code: int, status: str, outcome: str
) -> None:
    assert track(change).exit_code == exit_code
    _, run = only_run(store, tmp_path.name)
    assert (run.info.status, run.data.tags["outcome"]) == (status, outcome)


def test_runs_share_an_experiment_and_can_omit_the_model(track: Track, store: str) -> None:
    for _ in range(2):
        track({}, "--set", "tracking.mlflow.model=false", "--set", "tracking.mlflow.experiment=digits by hand")
    reading = client(store)
    runs = reading.search_runs([reading.get_experiment_by_name("digits by hand").experiment_id])
    assert [stored_files(reading, run) for run in runs] == [{"figures/mean.png", "run.json"}] * 2


def test_long_values_are_cut_and_many_are_batched(track: Track, tmp_path: Path, store: str) -> None:
    trainer = {"use": "tests.support.components:AnnotatedTrainer", "notes": {f"{n:03} ü%": n for n in range(150)}}
    outcome = track({"trainer": {**trainer, "remark": "x" * 10_000}})
    assert "warning" not in outcome.stderr
    _, run = only_run(store, tmp_path.name)
    assert {f"trainer.notes.{n:03} ü_": str(n) for n in range(150)}.items() <= run.data.params.items()
    assert run.data.params["trainer.remark"] == "x" * (MAX_PARAMETER_LENGTH - 1) + "…"
    failed = track({"trainer": {"use": "tests.support.components:TalkativeTrainer"}})
    assert failed.exit_code == 1
    run = run_of(store, tmp_path.name, failed.record["run_id"])
    assert run.data.tags["failure"] == failed.record["failure"]["headline"]
    assert run.info.status == "FAILED"


def test_names_that_collide_or_look_like_paths_stay_distinct(track: Track, tmp_path: Path, store: str) -> None:
    notes = {"a%": 1, "a&": 2, "a//b": 3, "../up": 4, "/": 5}
    outcome = track({"trainer": {"use": "tests.support.components:AnnotatedTrainer", "notes": notes}})
    assert "warning" not in outcome.stderr
    params = only_run(store, tmp_path.name)[1].data.params
    recorded = {name.removeprefix("trainer.notes."): value for name, value in params.items() if ".notes." in name}
    assert recorded == {"a_": "1", "a_ 2": "2", "a/b": "3", "../up": "4", "": "5"}
    assert [*sanitize_keys({"../up/..": 1, "/": 2})] == ["__/up/__", "_"]
    many = sanitize_keys({"x" * 300 + str(number): number for number in range(12)})
    assert sorted(many.values()) == [*range(12)]
    assert max(map(len, many)) <= 250


def test_uses_experiment_that_another_job_just_created(
    track: Track, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = open_client(store)
    location = (tmp_path / "artifacts").as_uri()
    created, find = reading.create_experiment(tmp_path.name, location), type(reading).get_experiment_by_name
    lookups: list[str] = []

    def not_yet(self: Any, name: str) -> Any:
        lookups.append(name)
        return None if len(lookups) == 1 else find(self, name)

    monkeypatch.setattr(type(reading), "get_experiment_by_name", not_yet)
    assert "warning" not in track().stderr
    assert lookups == [tmp_path.name] * 2
    (run,) = reading.search_runs([created])
    assert run.info.status == "FINISHED"


def test_keeps_values_set_in_the_environment(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    MlflowTracker(MlflowConfig(uri=store), tmp_path, "a run")
    assert {name: os.environ[name] for name in ENVIRONMENT_DEFAULTS} == {
        **ENVIRONMENT_DEFAULTS,
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    }


def test_run_does_not_stay_running_after_tracking_failed(
    track: Track, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: MlflowTracker, epoch: int, metrics: Any) -> None:  # noqa: ARG001
        raise OSError("no space left")

    monkeypatch.setattr(MlflowTracker, "end_epoch", broken)
    assert track().exit_code == 0
    _, run = only_run(store, tmp_path.name)
    assert run.info.status == "KILLED"
    assert run.data.tags["tracking_error"] == "OSError: no space left"
    assert "outcome" not in run.data.tags


def test_store_from_environment_is_used_without_password(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI_VARIABLE, store)
    assert MlflowTracker(MlflowConfig(), tmp_path, "a run").redacted_uri == store
    monkeypatch.setenv(URI_VARIABLE, "http://me:a@secret@127.0.0.1:9")
    assert MlflowTracker(MlflowConfig(), tmp_path, "a run").redacted_uri == "http://127.0.0.1:9"


def no_folder(root: Path) -> str:
    (root / "file").write_text("no folder")
    return f"sqlite:///{root}/file/mlflow.db"


def corrupt(root: Path) -> str:
    (root / "mlflow.db").write_bytes(b"this is no database" * 100)
    return f"sqlite:///{root}/mlflow.db"


def unwritable_artifacts(root: Path) -> str:
    (root / "mlflow").write_text("no folder")
    return f"sqlite:///{root}/mlflow.db"


def a_folder(root: Path) -> str:
    (root / "mlflow.db").mkdir()
    return f"sqlite:///{root}/mlflow.db"


@pytest.mark.parametrize(
    "fault",
    [
        corrupt,
        *(pytest.param(fault, marks=pytest.mark.thorough) for fault in (no_folder, a_folder, unwritable_artifacts)),
    ],
)
def test_broken_store_does_not_affect_the_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, fault: Callable[[Path], str]
) -> None:
    (tmp_path / "root").mkdir()
    began = time.monotonic()
    assert "did not finish" not in unaffected_run(mnist_job, write_config, tmp_path, fault(tmp_path / "root"))
    assert time.monotonic() - began < 15, "with MLflow's own settings it takes 104 s"


@pytest.mark.parametrize(
    "name", ["ro?ot", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("ro#ot", "ro%20t"))]
)
def test_root_that_a_database_uri_cannot_express(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, name: str
) -> None:
    outcome = mnist_job("run", "--config", write_config(TRACKED), "--root", tmp_path / "a" / name)
    assert outcome.exit_code == 0
    (warning,) = [line for line in outcome.stdout.splitlines() if "warning" in line]
    assert "set tracking.mlflow.uri to another location" in warning
    assert "mlflow        not tracked" in outcome.stdout.splitlines()
    assert [path.name for path in (tmp_path / "a").iterdir()] == [name]
    assert not [*tmp_path.rglob("mlflow*")]


def test_waiting_for_a_lock_has_a_time_limit(tmp_path: Path) -> None:
    with (
        acquire_within(1, tmp_path / "mlflow.db.lock"),
        pytest.raises(TimeoutError, match=r"mlflow\.db\.lock has been locked for 0 s by another run, process"),
        acquire_within(0.3, tmp_path / "mlflow.db.lock"),
    ):
        pytest.fail("it is locked")


def unaffected_run(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    uri: str,
    midway: Callable[[], object] = EpochsTrainer.interrupt,
) -> str:
    """Run untracked and tracked with a disturbance, check that results are equal, and return the only warning."""
    mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "untracked")
    arguments = ("run", "--config", write_config(TRACKED), "--root", tmp_path / "root")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(EpochsTrainer, "interrupt", staticmethod(midway))
        outcome = mnist_job(*arguments, "--set", f"tracking.mlflow.uri={uri}")
    assert outcome.exit_code == 0
    assert outcome.stderr == ""
    assert results(tmp_path / "root") == results(tmp_path / "untracked")
    (warning,) = [line for line in outcome.stdout.splitlines() if "warning" in line]
    assert warning.startswith(WARNING)
    return warning


@pytest.mark.thorough
def test_locked_database_does_not_affect_the_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_wait(monkeypatch, 2.0)  # MLflow waits up to 20 s for each statement
    database = tmp_path / "root/mlflow.db"
    held: list[sqlite3.Connection] = []

    def lock() -> None:
        if not held:
            wait_until(database.exists, lambda: "there is no database", seconds=60)
            held.append(sqlite3.connect(database, isolation_level=None))
            wait_until(lambda: has_metrics(held[0]), lambda: "no epoch was recorded", seconds=60)
            held[0].execute("BEGIN EXCLUSIVE")

    try:
        warning = unaffected_run(mnist_job, write_config, tmp_path, f"sqlite:///{database}", lock)
    finally:
        held[0].close()
    assert "it did not finish within 2 s" in warning


def has_metrics(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.OperationalError):  # the table does not exist yet, or is locked
        return bool(connection.execute("SELECT COUNT(*) FROM metrics").fetchone()[0])
    return False


def test_vanished_store_does_not_affect_the_run(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    store = tmp_path / "store"

    def vanish() -> None:
        if store.exists() or not (tmp_path / "vanished").exists():
            wait_until(lambda: [*store.rglob("trainer.epochs")], lambda: "no run has begun", seconds=20)
            store.rename(tmp_path / "vanished")

    unaffected_run(mnist_job, write_config, tmp_path, f"file:{store}/runs", vanish)


@contextmanager
def server(respond: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on loopback and respond to each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):  # it is closed
                while True:
                    connections.append(listening.accept()[0])
                    respond(connections[-1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def never_responds(connection: socket.socket) -> None: ...


def hangs_up(connection: socket.socket) -> None:
    connection.close()


def responds_503(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n")
    connection.close()


def trickles(connection: socket.socket) -> None:
    """Send one byte at a time; each restarts the client's timeout."""

    def trickle() -> None:
        with suppress(OSError):  # the client has disconnected
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.2)

    threading.Thread(target=trickle, daemon=True).start()


@pytest.mark.parametrize(
    ("respond", "message"),
    [
        (never_responds, "127.0.0.1"),
        *(pytest.param(each, "127.0.0.1", marks=pytest.mark.thorough) for each in (hangs_up, responds_503)),
        pytest.param(trickles, "it did not finish within 6 s", marks=pytest.mark.thorough),
    ],
)
def test_broken_server_does_not_affect_the_run(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    respond: Callable[[socket.socket], None],
    message: str,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    limit_wait(monkeypatch, 6.0)
    began = time.monotonic()
    with server(respond) as uri:
        warning = unaffected_run(mnist_job, write_config, tmp_path, uri)
    assert time.monotonic() - began < 20, "two attempts of a second each, or six seconds"
    assert message in warning
    assert (
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == ENVIRONMENT_DEFAULTS["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    )


@pytest.mark.thorough
@pytest.mark.parametrize("respond", [never_responds, trickles])
def test_terminated_job_does_not_wait_for_a_server(
    write_config: WriteConfig, tmp_path: Path, respond: Callable[[socket.socket], None]
) -> None:
    with server(respond) as uri:
        config = write_config({**EPOCHS, "tracking": {"mlflow": {"uri": uri}}})
        began = time.monotonic()
        plan = {"at": "mkdir", "path": "*trainer*.partial*", "do": "TERM"}
        ended = interfered(plan, "run", "--config", config, "--root", tmp_path / "root", timeout=60)
        took = time.monotonic() - began
    assert ended.returncode == 143, ended.stderr
    assert f"{WARNING}it did not finish" in ended.stdout
    assert took < 20, "three seconds and the time to start"


@pytest.mark.parametrize("log_format", ["text", pytest.param("json", marks=pytest.mark.thorough)])
def test_password_is_in_no_log(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    with server(hangs_up) as uri:
        monkeypatch.setenv(URI_VARIABLE, uri.replace("http://", "http://me:secret@"))
        config = write_config(TRACKED)
        outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--log-format", log_format)
    assert outcome.exit_code == 0
    (line,) = [line for line in outcome.stdout.splitlines() if "stopped tracking" in line]
    assert f"{uri}/api" in line
    assert "secret" not in outcome.stdout + outcome.stderr
    assert "secret" not in (tmp_path / "root/runs/latest/run.json").read_text()


@pytest.mark.thorough
def test_jobs_that_start_together_create_one_store(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from job.tracking.mlflow_client import open_client, store_uri;"
        "open_client(store_uri(None, Path(sys.argv[1])))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=REPOSITORY,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 2
    assert client(f"sqlite:///{tmp_path}/mlflow.db").get_experiment_by_name("Default"), "MLflow creates it"
    assert not (tmp_path / "mlflow.db.lock").exists()

"""MLflow: what its own client reads back, and what becomes of a run whose store or server fails."""

from __future__ import annotations

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
from pathlib import Path
from typing import Any

import pytest

from components.digests import file_sha256
from job.tracking.config import MlflowConfig
from job.tracking.mlflow_tracker import ALLOW_FILE_STORE, DEFAULTS, LONGEST_VALUE, URI, MlflowTracker
from tests.conftest import FAKES, SLOTS, Command, Outcome, WriteConfig
from tests.support.components import EpochsTrainer
from tests.support.processes import REPOSITORY, environment, results
from tests.support.trackers import EPOCHS

TRACKED: dict[str, Any] = {**EPOCHS, "tracking": {"mlflow": {}}}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy's, by MLflow
WARNING = "warning: mlflow does not follow the run any more, which goes on: "


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin where the environment says nothing, and leave it so."""
    for name in (*DEFAULTS, ALLOW_FILE_STORE, URI):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of a database that the tests share: to make its tables takes a second."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/shared.db"


Follow = Callable[..., Outcome]


@pytest.fixture
def follow(mnist_job: Command, write_config: WriteConfig, tmp_path: Path, store: str) -> Follow:
    """Run a job in `root`, followed in the store and in an experiment of the test's own."""

    def run(change: dict[str, Any] | None = None, *arguments: str) -> Outcome:
        tracking = {"mlflow": {"uri": store, "experiment": tmp_path.name}}
        config = write_config({**EPOCHS, "tracking": tracking, **(change or {})})
        return mnist_job("run", "--config", config, "--root", tmp_path / "root", "--json", *arguments)

    return run


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


def only_run(uri: str, experiment: str) -> tuple[Any, Any]:
    """Return a client, and the one run that an experiment has."""
    reading = client(uri)
    (run,) = reading.search_runs([reading.get_experiment_by_name(experiment).experiment_id])
    return reading, run


def stored_files(reading: Any, run: Any, path: str = "") -> set[str]:
    """Return the paths of all artifacts of a run."""
    found: set[str] = set()
    for entry in reading.list_artifacts(run.info.run_id, path):
        found |= stored_files(reading, run, entry.path) if entry.is_dir else {entry.path}
    return found


@pytest.mark.parametrize("kind", ["database", "files"])
def test_a_run_is_read_back(mnist_job: Command, write_config: WriteConfig, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "a root"
    uri = f"sqlite:///{root}/mlflow.db" if kind == "database" else f"file:{tmp_path}/store"
    asked = [] if kind == "database" else ["--set", f"tracking.mlflow.uri={uri}"]
    outcome = mnist_job("run", "--config", write_config(TRACKED), "--root", root, "--json", *asked)
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


def test_its_artifacts_are_the_sealed_files(follow: Follow, tmp_path: Path, store: str) -> None:
    follow()
    reading, run = only_run(store, tmp_path.name)
    latest = tmp_path / "root" / "runs" / "latest"
    sealed = {
        f"{folder}/{entry['path']}": entry["sha256"]
        for folder, slot in (("model", "trainer"), ("figures", "visualizer"))
        for entry in json.loads((latest / slot / "manifest.json").read_text())["files"]
    }
    assert len(sealed) >= 3
    assert stored_files(reading, run) == {*sealed, "run.json"}
    for path, digest in sealed.items():
        assert file_sha256(Path(reading.download_artifacts(run.info.run_id, path, str(tmp_path)))) == digest
    record = json.loads(Path(reading.download_artifacts(run.info.run_id, "run.json", str(tmp_path))).read_text())
    assert record == json.loads((latest / "run.json").read_text())
    assert record["outcome"] == "succeeded"


def test_its_tags_are_the_lineage(follow: Follow, tmp_path: Path, store: str) -> None:
    outcome = follow()
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


def test_another_process_finds_a_run_by_its_lineage(follow: Follow, tmp_path: Path, store: str) -> None:
    record = follow().record
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


@pytest.mark.parametrize(
    ("change", "exit_code", "status", "outcome"),
    [
        ({"evaluator": {**FAKES["evaluator"], "accuracy": 0.5}}, 4, "FINISHED", "not_blessed"),
        ({"trainer": {"use": "tests.support.components:BrokenTrainer"}}, 1, "FAILED", "failed"),
        ({"trainer": {"use": "tests.support.components:EndedTrainer"}}, 143, "KILLED", "terminated"),
    ],
)
def test_how_a_run_ends_is_its_status(
    follow: Follow, tmp_path: Path, store: str, change: dict[str, Any], exit_code: int, status: str, outcome: str
) -> None:
    assert follow(change).exit_code == exit_code
    _, run = only_run(store, tmp_path.name)
    assert (run.info.status, run.data.tags["outcome"]) == (status, outcome)


def test_runs_can_do_without_their_models_and_become_part_of_one_experiment(follow: Follow, store: str) -> None:
    for _ in range(2):
        follow({}, "--set", "tracking.mlflow.model=false", "--set", "tracking.mlflow.experiment=digits by hand")
    reading = client(store)
    runs = reading.search_runs([reading.get_experiment_by_name("digits by hand").experiment_id])
    assert [stored_files(reading, run) for run in runs] == [{"figures/mean.png", "run.json"}] * 2


def test_what_is_too_long_or_too_much_for_it_is_cut_and_batched(follow: Follow, tmp_path: Path, store: str) -> None:
    trainer = {"use": "tests.support.components:AnnotatedTrainer", "notes": {f"{n:03} ü%": n for n in range(150)}}
    outcome = follow({"trainer": {**trainer, "remark": "x" * 10_000}})
    assert "warning" not in outcome.stderr
    _, run = only_run(store, tmp_path.name)
    assert {f"trainer.notes.{n:03} ü_": str(n) for n in range(150)}.items() <= run.data.params.items()
    assert run.data.params["trainer.remark"] == "x" * (LONGEST_VALUE - 1) + "…"


def test_the_environment_names_the_store_and_its_password_is_not_told(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, store)
    assert MlflowTracker(MlflowConfig(), tmp_path).where == store
    monkeypatch.setenv(URI, "http://me:a@secret@127.0.0.1:9")
    assert MlflowTracker(MlflowConfig(), tmp_path).where == "http://127.0.0.1:9"


def no_folder(root: Path) -> str:
    (root / "file").write_text("no folder")
    return f"sqlite:///{root}/file/mlflow.db"


def corrupt(root: Path) -> str:
    (root / "mlflow.db").write_bytes(b"this is no database" * 100)
    return f"sqlite:///{root}/mlflow.db"


def unwritable_artifacts(root: Path) -> str:
    (root / "mlflow").write_text("no folder")
    return f"sqlite:///{root}/mlflow.db"


@pytest.mark.parametrize("fault", [no_folder, corrupt, unwritable_artifacts])
def test_a_store_that_does_not_work_does_not_keep_the_run_from_going_on(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, fault: Callable[[Path], str]
) -> None:
    (tmp_path / "root").mkdir()
    goes_on(mnist_job, write_config, tmp_path, fault(tmp_path / "root"))


def goes_on(mnist_job: Command, write_config: WriteConfig, tmp_path: Path, uri: str) -> str:
    """Run untracked and tracked; see that both come to the same, and return the one warning."""
    mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "untracked")
    arguments = ("run", "--config", write_config(TRACKED), "--root", tmp_path / "root")
    outcome = mnist_job(*arguments, "--set", f"tracking.mlflow.uri={uri}")
    assert outcome.exit_code == 0
    assert outcome.stderr == ""
    assert results(tmp_path / "root") == results(tmp_path / "untracked")
    (warning,) = [line for line in outcome.stdout.splitlines() if "warning" in line]
    assert warning.startswith(WARNING)
    return warning


def test_a_locked_database_does_not_either(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[sqlite3.Connection] = []

    def lock() -> None:
        if not held:
            held.append(sqlite3.connect(tmp_path / "root/mlflow.db", isolation_level=None))
            held[0].execute("BEGIN EXCLUSIVE")

    monkeypatch.setattr(EpochsTrainer, "interrupt", staticmethod(lock))
    (tmp_path / "root").mkdir()
    try:
        # The untracked run locks too, and nobody minds.
        warning = goes_on(mnist_job, write_config, tmp_path, f"sqlite:///{tmp_path}/root/mlflow.db?timeout=0.1")
    finally:
        held[0].close()
    assert "database is locked" in warning


def test_a_vanished_database_does_not_either(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.setattr(EpochsTrainer, "interrupt", staticmethod(lambda: shutil.rmtree(store, ignore_errors=True)))
    goes_on(mnist_job, write_config, tmp_path, f"file:{store}/runs")


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on loopback, and do something with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):  # it is closed
                while True:
                    connections.append(listening.accept()[0])
                    answer(connections[-1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def never_answers(connection: socket.socket) -> None: ...


def hangs_up(connection: socket.socket) -> None:
    connection.close()


@pytest.mark.parametrize("answer", [never_answers, hangs_up])
def test_a_server_that_is_of_no_use_does_not_either(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setitem(DEFAULTS, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    began = time.monotonic()
    with server(answer) as uri:
        warning = goes_on(mnist_job, write_config, tmp_path, uri)
    assert time.monotonic() - began < 20, "two attempts of a second each"
    assert "127.0.0.1" in warning
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == DEFAULTS["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


def test_jobs_that_begin_together_make_one_store(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from job.tracking.config import MlflowConfig;"
        "from job.tracking.mlflow_tracker import MlflowTracker;"
        "MlflowTracker(MlflowConfig(), Path(sys.argv[1]))"
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
    assert client(f"sqlite:///{tmp_path}/mlflow.db").get_experiment_by_name("Default"), "which MLflow makes itself"
    assert not (tmp_path / "mlflow.db.lock").exists()

"""Shared fixtures: the command line, configurations of fakes, and roots with a finished run.

- `mnist_job` runs a command in this process, `mnist_job_process` in a process of its own.
- `fake_config` is a configuration of fakes, `write_config` writes any other.
- `finished_root` is a root with one finished run of fakes, copied for each test: a test may change it.
- `digits_run` is one finished run of configs/digits.yaml with a smaller network and fewer epochs, shared by all tests
  and workers: only read it, or copy it with `tests.support.roots.copy_root`.
- `s3` and `azurite` are empty buckets, `bucket` is first the one, then the other, and `s3_proxy` fails as a test plans.
- `image` and `container_root` are for tests in containers.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import typer.testing
import yaml
from filelock import FileLock

from components.base import addresses
from components.object_storage import settings
from job.__main__ import GC_THRESHOLDS
from job.cli import app
from job.store import root as store_root
from tests.support import browser
from tests.support.containers import WHY_SKIPPED, docker, has_engine, image_under_test
from tests.support.faulty_proxy import FaultyProxy
from tests.support.kubernetes import WHY_SKIPPED as WHY_NO_CLUSTER
from tests.support.kubernetes import has_cluster
from tests.support.object_servers import Bucket, ObjectServer, azurite_server, s3_server, use_environment
from tests.support.processes import REPOSITORY, run_process
from tests.support.roots import copy_root
from tests.support.slurm import missing_programs

SLOTS = ["example_gen", "transform", "trainer", "evaluator", "visualizer"]
FAKES = {
    "example_gen": {"use": "components.testing:FakeExampleGen"},
    "transform": {"use": "components.testing:FakeTransform"},
    "trainer": {"use": "components.testing:FakeTrainer"},
    "evaluator": {"use": "components.testing:FakeEvaluator"},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}
TINY_NETWORK = {"filters": [4, 4, 4], "dense": [8, 8]}
DIGITS = REPOSITORY / "configs" / "digits.yaml"
SMALLER_DIGITS = {
    "extends": str(DIGITS),
    "trainer": {"network": {"filters": [8, 16, 32]}, "epochs": 4},
    "evaluator": {"thresholds": {"accuracy": {"minimum": 0.9}}},
}

SLOWEST_FILES = (
    "test_kills.py",
    "test_end_to_end.py",
    "test_tracking_kills.py",
    "test_sweep.py",
    "test_slurm.py",
    "test_benchmarks.py",
    "test_starvation.py",
    "test_sketchpad.py",
    "test_predict_inputs.py",
    "test_readme.py",
    "test_color_images.py",
    "test_unknown_user.py",
    "test_checkpoint_uploads.py",
    "test_export.py",
    "test_tracking.py",
    "test_training_loop.py",
    "test_races.py",
    "test_mlflow.py",
    "test_notebooks.py",
)
"""Run first: a slow file that starts last leaves the other workers idle."""


MAX_NAME_LENGTH = 60

gc.set_threshold(*GC_THRESHOLDS)  # as in the job: scanning the many objects of TensorFlow takes long
# Making all commands takes 40 ms.
setattr(typer.testing, "_get_command", cache(typer.main.get_command))  # noqa: B010


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check the length of test names, and put the slowest files first."""
    names = {getattr(item, "originalname", item.name) for item in items}
    if too_long := sorted(name for name in names if len(name) > MAX_NAME_LENGTH):
        raise pytest.UsageError(f"names of tests have at most {MAX_NAME_LENGTH} characters: {', '.join(too_long)}")
    order = {name: place for place, name in enumerate(SLOWEST_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests without their container engine, cluster or browser; from here, for one line each in the summary."""
    if item.get_closest_marker("container") and not has_engine():
        pytest.skip(WHY_SKIPPED)
    if item.get_closest_marker("slurm") and (missing := missing_programs()):
        pytest.skip(f"Slurm's {', '.join(missing)} are missing: apt-get install slurmctld slurmd slurm-client munge")
    if item.get_closest_marker("cluster") and not has_cluster():
        pytest.skip(WHY_NO_CLUSTER)
    if item.get_closest_marker("browser") and not browser.has_chromium():
        pytest.skip(browser.WHY_SKIPPED)


@pytest.fixture(scope="session", autouse=True)
def _unflushed_files() -> Iterator[None]:
    """Flush no file to the disk: no test turns off the power, and each run of fakes flushes 43 files."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda fd: None)  # noqa: ARG005
        yield


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def record(self) -> dict[str, Any]:
        """The run record that a command with --json printed."""
        record: dict[str, Any] = json.loads(self.stdout)
        return record


Command = Callable[..., CommandResult]


def run_job_in_process(*arguments: object) -> CommandResult:
    """Run a command in this process."""
    result = typer.testing.CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="mnist-job")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return CommandResult(result.exit_code, result.stdout, result.stderr)


def run_job_process(*arguments: object, cwd: Path = REPOSITORY) -> CommandResult:
    """Run a command in a process of its own, as a user does."""
    result = run_process(*arguments, folder=cwd)
    return CommandResult(result.returncode, result.stdout, result.stderr)


@pytest.fixture
def mnist_job(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return `run_job_in_process`, on a terminal wide enough to break no line."""
    monkeypatch.setenv("COLUMNS", "400")
    return run_job_in_process


@pytest.fixture
def mnist_job_process() -> Command:
    """Return `run_job_process`."""
    return run_job_process


WriteConfig = Callable[[dict[str, Any]], Path]


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    """Return a function that writes a configuration file."""

    def write(values: dict[str, Any]) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write


@pytest.fixture
def fake_config(write_config: WriteConfig) -> Path:
    """Return a configuration in which every component is a fake."""
    return write_config(FAKES)


@pytest.fixture(scope="session")
def _finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "config.yaml").write_text(yaml.safe_dump(FAKES, sort_keys=False))
    result = run_job_in_process("run", "--config", folder / "config.yaml", "--root", folder / "root")
    assert result.exit_code == 0, result.stderr
    return folder / "root"


@pytest.fixture
def finished_root(_finished_run: Path, tmp_path: Path) -> Path:
    """Return `tmp_path / "root"` with one finished run of `fake_config`."""
    return copy_root(_finished_run, tmp_path / "root")


@dataclass(frozen=True)
class FinishedRun:
    """What a run printed, its root and its configuration."""

    result: CommandResult
    root: Path
    config: Path


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Return one run of `SMALLER_DIGITS` with --json; the first worker that needs it makes it for all."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    root, config, printed = (shared / name for name in ("digits", "digits.yaml", "digits.json"))
    with FileLock(shared / "digits.lock"):
        if not printed.exists():
            config.write_text(yaml.safe_dump(SMALLER_DIGITS, sort_keys=False))
            result = run_job_process("run", "--config", config, "--root", root, "--json")
            printed.write_text(json.dumps([result.exit_code, result.stdout, result.stderr]))
    return FinishedRun(CommandResult(*json.loads(printed.read_text())), root, config)


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[ObjectServer]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def _azurite_server() -> Iterator[ObjectServer]:
    with azurite_server() as server:
        yield server


@pytest.fixture
def s3(_s3_server: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bucket:
    """Return an empty bucket of an S3 server; the environment has its credentials, and an empty cache."""
    return _empty_bucket(_s3_server, monkeypatch, tmp_path)


@pytest.fixture
def azurite(_azurite_server: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bucket:
    """Return an empty container of Azurite; the environment has its credentials, and an empty cache."""
    return _empty_bucket(_azurite_server, monkeypatch, tmp_path)


@pytest.fixture(params=["s3", "azurite"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Return an empty bucket of each of the two servers."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def s3_proxy(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """Return a proxy in front of the bucket `s3`; the environment has its address."""
    with s3.proxy(monkeypatch) as proxy:
        yield proxy


def _empty_bucket(server: ObjectServer, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bucket:
    use_environment(monkeypatch, server)
    monkeypatch.setenv("JOB_CACHE", str(folder / "cache"))
    for module, name in ((addresses, "_copies"), (store_root, "_remote")):  # no root of another test is open
        monkeypatch.setattr(module, name, {})
    monkeypatch.setattr(settings, "_configured", None)
    return Bucket(server, server.create_bucket())


@pytest.fixture(scope="session")
def image() -> str:
    """Return the container image under test."""
    return image_under_test()


@pytest.fixture
def container_root(image: str) -> Iterator[Path]:
    """Return a folder that any user can write to; all folders above it can be entered by any user."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Path(folder) / "root"
        made.mkdir()
        made.chmod(0o777)
        yield made
        # Only the container's user, or root, can delete the files that this user wrote.
        docker(
            *("run", "--rm", "--user", "0", "--entrypoint", "sh", "--volume", f"{made}:/output", image),
            *("-c", "rm -rf /output/* /output/.[!.]*"),
        )

"""Fixtures: the command line in this process and in one of its own, and a job of fakes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from job.cli import app
from tests.support import browser
from tests.support.containers import WHY_SKIPPED, docker, engine_answers, the_image
from tests.support.processes import REPOSITORY, environment
from tests.support.slurm import missing_programs

collect_ignore = [
    "benchmarks/peers",
    "serving/model_server.py",
]  # scripts that import TensorFlow or PyTorch, and hold no doctests
SLOTS = ["example_gen", "transform", "trainer", "evaluator", "visualizer"]
FAKES = {
    "example_gen": {"use": "components.testing:FakeExampleGen"},
    "transform": {"use": "components.testing:FakeTransform"},
    "trainer": {"use": "components.testing:FakeTrainer"},
    "evaluator": {"use": "components.testing:FakeEvaluator"},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}
TINY_NETWORK = {"filters": [4, 4, 4], "dense": [8, 8]}


LONGEST = ("test_end_to_end.py", "test_kills.py", "test_races.py", "test_checkpoints.py")
"""Files of tests that take longest: begun first, they are not what all others have to wait for in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a container engine, Slurm or a browser where there is none: from one place, so a line each."""
    if item.get_closest_marker("container") and not engine_answers():
        pytest.skip(WHY_SKIPPED)
    if item.get_closest_marker("slurm") and (missing := missing_programs()):
        pytest.skip(f"Slurm's {', '.join(missing)} are missing: apt-get install slurmctld slurmd slurm-client munge")
    if item.get_closest_marker("browser") and not browser.has_chromium():
        pytest.skip(browser.WHY_SKIPPED)


@dataclass(frozen=True)
class Outcome:
    """What a command gave."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def record(self) -> dict[str, Any]:
        """The run's record, from a command with --json."""
        record: dict[str, Any] = json.loads(self.stdout)
        return record


Command = Callable[..., Outcome]


@pytest.fixture
def mnist_job(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process."""
    monkeypatch.setenv("COLUMNS", "400")

    def command(*arguments: object) -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="mnist-job")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return command


def run_job(*arguments: object, cwd: Path = REPOSITORY) -> Outcome:
    """Run a command in a process of its own, as a user does."""
    result = subprocess.run(
        [sys.executable, "-m", "job", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Outcome(result.returncode, result.stdout, result.stderr)


@pytest.fixture
def mnist_job_process() -> Command:
    """Return `run_job`."""
    return run_job


WriteConfig = Callable[[dict[str, Any]], Path]


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    """Write a configuration file."""

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
def image() -> str:
    """Return the image to test in containers."""
    return the_image()


@pytest.fixture
def root(image: str) -> Iterator[Path]:
    """Return a folder that any user may write to, not below one that only its owner may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Path(folder) / "root"
        made.mkdir()
        made.chmod(0o777)
        yield made
        # What the container's user made, only he, or root, can remove.
        docker(
            *("run", "--rm", "--user", "0", "--entrypoint", "sh", "--volume", f"{made}:/output", image),
            *("-c", "rm -rf /output/* /output/.[!.]*"),
        )

"""README.md keeps its word: its example of a swapped component runs as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from components.base.errors import ExitCode
from tests.conftest import Command
from tests.support.processes import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def block(language: str, holding: str) -> str:
    """Return the one fenced block of a language that has some text in it."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in text]
    return str(found)


def test_the_example_of_a_swapped_trainer_runs(tmp_path: Path, mnist_job_process: Command) -> None:
    (tmp_path / "my_trainer.py").write_text(block("python", "class LogisticTrainer("))
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    (tmp_path / "mine.yaml").write_text(block("yaml", "my_trainer:LogisticTrainer"))
    outcome = mnist_job_process("run", "--config", "mine.yaml", "--root", "root", "--json", cwd=tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.record["metrics"]["accuracy"] > 0.9
    assert outcome.record["config"]["trainer"] == {"use": "my_trainer:LogisticTrainer", "regularization": 10.0}


def test_the_contract_can_be_pointed_at_it(tmp_path: Path) -> None:
    (tmp_path / "my_trainer.py").write_text(block("python", "class LogisticTrainer("))
    (tmp_path / "test_mine.py").write_text(block("python", "class TestLogisticTrainer"))
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{REPOSITORY}:{tmp_path}", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert "8 passed" in result.stdout


def test_the_example_in_python_names_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_trainer.py").write_text(block("python", "class LogisticTrainer("))
    monkeypatch.syspath_prepend(str(tmp_path))
    imports = [line for line in block("python", "run(JobConfig").splitlines() if line.startswith("from")]
    exec("\n".join(imports), {})  # noqa: S102  (the README's own lines)


def test_the_short_configuration_loads(tmp_path: Path) -> None:
    from job.config.config import load_config

    (tmp_path / "short.yaml").write_text(block("yaml", "path: /data/mnist"))
    load_config(tmp_path / "short.yaml")


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = re.findall(r"^\| (\d+) \| (.+) \|$", README, re.MULTILINE)
    assert [int(code) for code, _ in table] == sorted(ExitCode)


@pytest.mark.parametrize("line", re.findall(r"^(sed .+) > mine\.\w+$", README, re.MULTILINE))
def test_the_commands_replace_all_that_the_files_for_batch_services_leave_open(line: str) -> None:
    done = subprocess.run(shlex.split(line), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert not re.findall(r"IMAGE|NFS_SERVER|FILE_SYSTEM|ACCESS_POINT|CLUSTER|ACCOUNT|SHARE", done.stdout)


def test_nothing_was_left_to_be_filled_in() -> None:
    assert "@@" not in README


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_and_pictures_lead_somewhere(target: str) -> None:
    assert (REPOSITORY / target).exists()


def test_what_a_verdict_can_rest_on_loads(tmp_path: Path) -> None:
    from job.config.config import load_config

    (tmp_path / "mine.yaml").write_text(block("yaml", "class_thresholds"))
    config = load_config(tmp_path / "mine.yaml").pipeline.evaluator.config
    assert config.class_thresholds["7"]["precision"].minimum == 0.98
    assert config.slice_thresholds["thickness/least"]["accuracy"].minimum == 0.95
    assert config.baseline == "latest-blessed"


def test_what_can_follow_a_run_loads(tmp_path: Path) -> None:
    from job.config.config import load_config

    (tmp_path / "mine.yaml").write_text(block("yaml", "tracking:"))
    tracking = load_config(tmp_path / "mine.yaml").tracking
    assert tracking.tensorboard is not None
    assert tracking.mlflow is not None
    assert tracking.mlflow.experiment == "digits"

"""The section `engine`: the engine that components receive; results do not depend on it."""

from pathlib import Path

import pytest

from components.runtime import processes
from job.config.config import load_config
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.components import EngineTrainer


def test_components_receive_the_engine(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MIN_SAVED_SECONDS", -1)
    config = write_config(FAKES | {"trainer": {"use": f"{EngineTrainer.__module__}:EngineTrainer"}})
    run = ("run", "--config", config, "--root", tmp_path / "root", "--until", "trainer", "--json")
    first = mnist_job(*run, "--set", "engine.workers=2").record
    assert first["steps"][-1]["observations"] == {"parallel_tasks": 2, "other_processes": 2}
    assert "engine" not in first["config"], "another machine may continue the run"
    again = mnist_job(*run, "--set", "engine.workers=1").record
    assert [step["status"] for step in again["steps"]] == ["reused"] * 3


@pytest.mark.parametrize("section", ["engine: null", "engine: {}", ""])
def test_the_default_is_one_process_per_cpu(tmp_path: Path, section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.runtime.resources.cpu_limit", lambda: 7)
    file = tmp_path / "job.yaml"
    file.write_text(f"extends: digits\n{section}\n")
    with load_config(file).engine.open(tmp_path) as engine:
        assert engine.parallel == 7

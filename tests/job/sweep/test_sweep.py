"""Sweeps: what runs, how it is ranked, and what a sweep continues from."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from job.store.runs import Runs
from tests.conftest import FAKES, Command, CommandResult, FinishedRun, WriteConfig, run_job_in_process
from tests.support.epoch_trainer import KILLED_IN

TRAINER = {"use": "tests.support.epoch_trainer:EpochTrainer"}
SPACE = {"trainer.quality": [0.3, 0.6, 0.9, 0.5]}
TPE = {"space": {"trainer.quality": {"uniform": [0.2, 0.9]}}, "tpe": 4, "pruner": {"startup_trials": 1}}
RunSweep = Callable[..., CommandResult]


def run_sweep(folder: Path, section: dict[str, Any], *arguments: object, **trainer: Any) -> CommandResult:
    """Run the sweep of a section with fakes, in `root`."""
    config = folder / "config.yaml"
    values = {**FAKES, "trainer": {**TRAINER, **trainer}, "sweep": section}
    config.write_text(yaml.safe_dump(values, sort_keys=False))
    return run_job_in_process("sweep", "--config", config, "--root", folder / "root", "--json", *arguments)


@pytest.fixture
def sweep(tmp_path: Path) -> RunSweep:
    """Return `run_sweep` for a root of its own."""
    return partial(run_sweep, tmp_path)


def states(result: CommandResult) -> list[str]:
    return [trial["state"] for trial in result.record["trials"]]


GRID = {"trainer.quality": [0.5, 0.9, 0.7], "seed": [0, 2]}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Return a finished sweep of `GRID`."""
    folder = tmp_path_factory.mktemp("grid")
    return FinishedRun(run_sweep(folder, GRID), folder / "root", folder / "config.yaml")


def test_grid_ranks_the_means_over_seeds(grid: FinishedRun) -> None:
    result = grid.result
    assert result.exit_code == 0, result.stderr
    best = result.record["ranking"][0]
    assert best["parameters"] == {"trainer.quality": 0.9}
    assert best["trials"] == [2, 3]
    assert best["accuracy"] == pytest.approx(0.89)
    assert best["spread"] == pytest.approx(0.0141, abs=1e-4)
    assert result.record["winner"]["trial"] == 2


def test_only_the_winner_is_evaluated_and_data_are_made_once(grid: FinishedRun) -> None:
    records = list(Runs(grid.root).newest_first())
    assert [record.run_id for record in records if record.metrics] == [grid.result.record["winner"]["run_id"]]
    assert len(records) == 7
    assert all(record.sweep is not None for record in records)
    made = [step.component for record in records for step in record.steps if step.status == "ran"]
    assert made.count("example_gen") == made.count("transform") == 2, "once for each seed"
    assert made.count("trainer") == 6


def test_same_command_runs_nothing_again(grid: FinishedRun) -> None:
    ids = Runs(grid.root).ids()
    assert run_sweep(grid.root.parent, GRID).record == grid.result.record
    assert Runs(grid.root).ids() == ids


@pytest.mark.thorough
def test_diverged_trial_is_ranked_last(sweep: RunSweep) -> None:
    result = sweep({"trainer.quality": [0.5, 0.9], "trainer.diverges": [True, False]})
    assert sorted(states(result)) == ["failed", "failed", "finished", "finished"]
    assert [row["parameters"]["trainer.diverges"] for row in result.record["ranking"]] == [False, False, True, True]
    assert "diverged" in result.stderr


def test_sweep_without_a_finished_trial_is_an_error(sweep: RunSweep) -> None:
    result = sweep({"trainer.diverges": [True]})
    assert result.exit_code == 2
    assert "the trial failed: training diverged" in result.stderr


@pytest.mark.parametrize(
    "settings",
    [{0.9: 2, 0.1: 1}, pytest.param({0.9: 4, 0.8: 2, 0.3: 1, 0.1: 1}, marks=pytest.mark.thorough)],
    ids=["two settings", "four settings"],
)
def test_halving_promotes_the_best_of_each_rung(sweep: RunSweep, settings: dict[float, int]) -> None:
    """Each setting is a quality, with the epochs that it is trained for."""
    section = {"space": {"trainer.quality": sorted(settings)}, "halving": {"factor": 2, "epochs": 1}}
    result = sweep(section, epochs=len(settings))
    epochs = {trial["parameters"]["trainer.quality"]: len(trial["history"]) for trial in result.record["trials"]}
    assert epochs == settings
    assert [row["parameters"]["trainer.quality"] for row in result.record["ranking"]] == [*settings]
    assert states(result).count("paused") == len(settings) - 1


@pytest.mark.thorough
def test_halving_promotes_a_setting_with_all_of_its_seeds(sweep: RunSweep) -> None:
    section = {"space": {"trainer.quality": [0.3, 0.6, 0.9], "seed": [0, 1]}, "halving": {"factor": 3, "epochs": 2}}
    result = sweep(section, epochs=6)
    assert states(result) == ["paused"] * 4 + ["finished"] * 2


@pytest.mark.thorough
def test_shares_need_not_run_at_the_same_time(sweep: RunSweep) -> None:
    section = {"space": {"trainer.quality": [0.1, 0.9, 0.3, 0.8, 0.4, 0.5]}, "halving": {"factor": 2, "epochs": 1}}
    first = sweep(section, "--index", 1, "--count", 2, epochs=4)
    assert first.exit_code == 0
    assert first.record["winner"] is None
    assert states(first).count("waiting") == 3
    assert len(first.record["ranking"]) == 3, "trials that wait have no rank"
    assert "3 trials, left to other processes" in first.stderr
    second = sweep(section, "--index", 0, "--count", 2, epochs=4)
    assert second.record["ranking"][0]["parameters"] == {"trainer.quality": 0.9}
    assert second.record["winner"]["trial"] == 1
    assert sweep(section, "--index", 1, "--count", 2, epochs=4).record == second.record


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_sampler_chooses_within_the_space(kind: str, sweep: RunSweep) -> None:
    space = {"trainer.quality": {"uniform": [0.2, 0.6]}, "trainer.epochs": {"int": [2, 4]}, "seed": [0, 1]}
    result = sweep({kind: 2, "seed": 7, "space": space})
    assert result.exit_code == 0, result.stderr
    trials = result.record["trials"]
    assert len(trials) == 4
    assert all(0.2 <= trial["parameters"]["trainer.quality"] <= 0.6 for trial in trials)
    assert all(trial["parameters"]["trainer.epochs"] in (2, 3, 4) for trial in trials)
    assert trials[0]["parameters"]["trainer.quality"] == trials[1]["parameters"]["trainer.quality"]
    assert len({trial["parameters"]["trainer.quality"] for trial in trials}) == 2


@pytest.mark.thorough
def test_pruner_stops_trials_below_the_median(sweep: RunSweep) -> None:
    section = {
        "space": {"trainer.quality": [0.5, 0.9, 0.2, 0.8]},
        "pruner": {"kind": "median", "startup_trials": 2, "warmup_epochs": 1},
    }
    result = sweep(section, epochs=4)
    assert states(result) == ["finished", "finished", "stopped", "finished"]
    assert [len(trial["history"]) for trial in result.record["trials"]] == [4, 4, 2, 4]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("section", "kills"),
    [
        pytest.param({"space": SPACE, "halving": {"factor": 2, "epochs": 2}}, 2, id="halving"),
        pytest.param({"space": {"trainer.quality": [0.3, 0.9]}}, 2, id="grid"),
        pytest.param(TPE, 1, id="tpe"),
    ],
)
def test_killed_sweep_continues_with_the_same_result(
    section: dict[str, Any],
    kills: int,
    sweep: RunSweep,
    mnist_job_process: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = sweep(section, epochs=4)
    shutil.move(tmp_path / "root", tmp_path / "undisturbed")
    monkeypatch.setenv(KILLED_IN, "3")
    command = ("sweep", "--config", tmp_path / "config.yaml", "--root", tmp_path / "root", "--json")
    killed = 0
    while (result := mnist_job_process(*command)).exit_code == -signal.SIGKILL:
        killed += 1
    assert result.exit_code == 0, result.stderr
    assert killed == kills
    assert result.record["ranking"] == undisturbed.record["ranking"]
    for name in ("history", "state", "parameters"):
        assert [trial[name] for trial in result.record["trials"]] == [
            trial[name] for trial in undisturbed.record["trials"]
        ]
    sealed = [sorted((tmp_path / root).glob("artifacts/trainer/*/manifest.json")) for root in ("root", "undisturbed")]
    assert [path.read_bytes() for path in sealed[0]] == [path.read_bytes() for path in sealed[1]]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"trainer.qualty": [0.5]}, "config.yaml:12: a trial with trainer.qualty 0.5: trainer.qualty is not a key"),
        ({"trainer.quality": [0.5, 7.0]}, "a trial with trainer.quality 7.0: trainer.quality is 7.0"),
        ({"trainer.quality": {"uniform": [0.1, 0.9]}}, "trainer.quality is a range, and a grid needs a list"),
        ({"space": {"trainer.quality": {"log": [0, 0.9]}}, "random": 3}, "expected a positive low value"),
        ({"space": {"trainer.quality": [0.5]}, "halving": {"epochs": 9}}, "no trial has more than 9 epochs"),
        ({"space": {"trainer.quality": [0.5]}, "tpe": 2, "halving": {}}, "halving needs a grid or random settings"),
        ({"trainer.quality": []}, "expected at least one value"),
        ({}, "the sweep has no values to try"),
        ({"evaluator.batch_size": [1, 2]}, "evaluator.batch_size does not affect training"),
        ({"seed": [0, 1], "pusher.keep": [1, 2]}, "pusher.keep does not affect training"),
        ({"root": ["a", "b"]}, "root does not affect training"),
    ],
)
def test_error_is_reported_before_any_trial(
    section: dict[str, Any], problem: str, sweep: RunSweep, tmp_path: Path
) -> None:
    result = sweep(section)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not (tmp_path / "root" / "runs").exists()


def test_run_names_the_command_for_sweeps(mnist_job: Command, write_config: WriteConfig) -> None:
    result = mnist_job("run", "--config", write_config({**FAKES, "sweep": {"seed": [0, 1]}}))
    assert result.exit_code == 2
    assert "is for the command `sweep`" in result.stderr


def test_index_outside_of_the_count_is_an_error(sweep: RunSweep) -> None:
    result = sweep({"seed": [0, 1]}, "--index", 2, "--count", 2)
    assert result.exit_code == 2
    assert "--index 2 is not valid with --count 2" in result.stderr

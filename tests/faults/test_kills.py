"""A job that is killed anywhere, any number of times, ends with the bits of an undisturbed run.

Real processes receive real signals. Random plans come from fixed seeds; the variable RANDOM_KILLS sets their number.
"""

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import FAKES, TINY_NETWORK, run_job_process
from tests.support.processes import interfered, results

EVERYTHING: dict[str, Any] = {
    "network": {**TINY_NETWORK, "dropout": 0.3, "batch_normalization": True},
    "augmentation": {"rotation": 10.0, "zoom": 0.1, "shear": 0.1, "shift": 0.1},
    "epochs": 5,
    "batch_size": 32,
    "checkpoint": {"every_steps": 7},
}
PLAIN: dict[str, Any] = {"network": {**TINY_NETWORK, "dropout": 0.0}, "epochs": 5, "batch_size": 64, "patience": 1}
SCORING = {"thresholds": {}, "infra_validation": {"images": 0}, "robustness": {"images": 0}}
FAKE_EVALUATOR = {"evaluator": {"use": "components.testing:FakeEvaluator"}}
FAKES_WITHOUT_TRAINER = {slot: section for slot, section in FAKES.items() if slot != "trainer"}
REST = {"evaluator": SCORING, "visualizer": {"use": "components.testing:FakeVisualizer"}}
EXITS = {"TERM": 143, "KILL": -signal.SIGKILL}
DRAFT = "*/trainer/*.partial/checkpoints/draft"
WRITING = [
    {"at": "mkdir", "path": DRAFT},
    {"at": "open", "path": f"{DRAFT}/state.npz"},
    {"at": "open", "path": f"{DRAFT}/checkpoint.json"},
    {"at": "rename", "path": DRAFT},
]
"""Moments of writing a checkpoint: empty, part of the state, part of the record, not renamed yet."""


class Job:
    """One configuration that runs in several roots."""

    def __init__(self, folder: Path, trainer: dict[str, Any], **others: Any) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump({"trainer": trainer, **REST, **others}))

    def arguments(self, root: str) -> tuple[object, ...]:
        return ("run", "--config", self.config, "--root", self.folder / root)

    def finish(self, root: str) -> dict[str, Any]:
        outcome = run_job_process(*self.arguments(root))
        assert outcome.exit_code == 0, outcome.stderr
        assert not list((self.folder / root).rglob("*.partial"))
        assert not list((self.folder / root).rglob("*.lock"))
        return results(self.folder / root)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(tmp_path_factory.mktemp("everything"), EVERYTHING)


@pytest.fixture(scope="module")
def undisturbed(job: Job) -> dict[str, Any]:
    return job.finish("undisturbed")


def kill(job: Job, root: str, plan: dict[str, Any]) -> str:
    """Run the job with an interference that ends it; return its output."""
    ended = interfered(plan, *job.arguments(root))
    assert ended.returncode == EXITS[plan["do"]], (plan, ended.stdout, ended.stderr)
    return ended.stdout


def random_kills(seed: int, count: int, *, most: int) -> list[dict[str, Any]]:
    """Return plans to kill a training at random steps, a few milliseconds into each."""
    chosen = random.Random(seed)  # noqa: S311
    return [
        {
            "at": "step",
            "count": chosen.randint(1, most),
            "delay": chosen.choice([0.0, chosen.uniform(0, 0.02)]),
            "do": chosen.choice(["KILL", "TERM"]),
        }
        for _ in range(count)
    ]


def test_killed_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    trainer = {**PLAIN, "network": {**TINY_NETWORK, "dropout": 0.3}, "epochs": 3, "batch_size": 16, "exports": []}
    job = Job(tmp_path, {**trainer, "checkpoint": {"every_steps": 3}}, **FAKES_WITHOUT_TRAINER)
    kill(job, "killed", {**WRITING[3], "count": 2, "do": "KILL"})
    resumed = run_job_process(*job.arguments("killed"))
    assert "resumed at epoch 1, step 3" in resumed.stdout
    assert results(tmp_path / "killed") == job.finish("undisturbed")


@pytest.mark.thorough
def test_terminated_and_killed_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    # An epoch has 43 steps and several checkpoints, so the second attempt gets a little further.
    job = Job(tmp_path, {**EVERYTHING, "epochs": 2, "exports": []}, **FAKE_EVALUATOR)
    kills = [{"at": "step", "count": 6, "do": "TERM"}, {**WRITING[1], "count": 3, "do": "KILL"}]
    printed = [kill(job, "killed", plan) for plan in kills]
    assert "resumed at epoch" not in printed[0]
    assert "resumed at epoch" in printed[1]
    assert job.finish("killed") == job.finish("undisturbed")


@pytest.mark.thorough
def test_two_empty_roots_get_the_same_bits(job: Job, undisturbed: dict[str, Any]) -> None:
    assert job.finish("again") == undisturbed


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(int(os.environ.get("RANDOM_KILLS", "2"))))
def test_random_kills_resume_to_the_same_bits(job: Job, undisturbed: dict[str, Any], seed: int) -> None:
    for plan in random_kills(seed, 6, most=8):
        kill(job, f"random-{seed}", plan)
    assert job.finish(f"random-{seed}") == undisturbed


@pytest.mark.thorough
def test_kills_during_a_checkpoint_resume_to_the_same_bits(job: Job, undisturbed: dict[str, Any]) -> None:
    for plan in WRITING:
        for count in (1, 2):
            kill(job, "writing", {**plan, "count": count, "do": "KILL"})
    assert job.finish("writing") == undisturbed


@pytest.mark.thorough
def test_early_stopping_resumes_to_the_same_bits(tmp_path: Path) -> None:
    job = Job(tmp_path, PLAIN)
    undisturbed = job.finish("undisturbed")
    # Only SIGTERM saves checkpoints here. The last kills come after training, while the model is written.
    for plan in (
        {"at": "step", "count": 6, "do": "TERM"},
        {"at": "open", "path": "*.partial/files-*/draft-model.keras", "do": "KILL"},
        {"at": "remove", "path": "*.partial/files-*/draft-model.keras", "delay": 0.05, "do": "KILL"},
    ):
        kill(job, "killed", plan)
    assert job.finish("killed") == undisturbed


NO_TRAINING: dict[str, Any] = {
    "trainer": {"use": "components.testing:FakeTrainer"},
    "evaluator": {"thresholds": {"accuracy": {"minimum": 0.8}}},
}
OTHERS = ["example_gen", "transform", "evaluator", "visualizer"]


def killed_in_each_other_component(folder: Path, *, delays: list[float], do: str) -> None:
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(NO_TRAINING))
    assert run_job_process("run", "--config", config, "--root", folder / "undisturbed").exit_code == 0
    for slot in OTHERS:
        for delay in delays:
            plan = {"at": "mkdir", "path": f"*/{slot}/*.partial/files-*", "delay": delay, "do": do}
            ended = interfered(plan, "run", "--config", config, "--root", folder / "killed")
            if ended.returncode == 0:
                assert delay != delays[0], "the shortest delay interferes"
                break  # it finished before the signal
            assert ended.returncode == EXITS[do], ended.stderr
            if do == "TERM":
                assert not list((folder / "killed").rglob("*.partial")), "no partial artifact is left"
        assert list((folder / "killed").rglob("run.json"))
    finished = run_job_process("run", "--config", config, "--root", folder / "killed")
    assert finished.exit_code == 0, finished.stderr
    assert results(folder / "killed") == results(folder / "undisturbed")
    assert run_job_process("verify", "--root", folder / "killed").exit_code == 0
    assert not list((folder / "killed").rglob("*.partial"))


@pytest.mark.thorough
def test_killed_components_give_the_same_bits(tmp_path: Path) -> None:
    killed_in_each_other_component(tmp_path, delays=[0.002], do="KILL")


@pytest.mark.thorough
@pytest.mark.parametrize("do", ["KILL", "TERM"])
def test_components_killed_later_give_the_same_bits(tmp_path: Path, do: str) -> None:
    killed_in_each_other_component(tmp_path, delays=[0.0, 0.03], do=do)

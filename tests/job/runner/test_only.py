"""One component, run on the artifacts of an earlier run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import Context, Evaluation, Model, Stored, TransformedExamples
from components.base.errors import DataError
from components.testing import FakeEvaluator
from tests.conftest import FAKES, Command, WriteConfig
from tests.job.runner.test_run import statuses


class NoEvaluator(FakeEvaluator):
    """Fails."""

    def run(
        self,
        context: Context,  # noqa: ARG002
        /,
        *,
        transformed: Stored[TransformedExamples],  # noqa: ARG002
        model: Stored[Model],  # noqa: ARG002
    ) -> Evaluation:
        raise DataError("no evaluation", expected="one", remedy="none")


def only(mnist_job: Command, component: str, root: Path, *arguments: object) -> dict[str, Any]:
    result = mnist_job("run", "--only", component, "--from", "latest", "--root", root, "--json", *arguments)
    assert result.stdout, result.stderr
    return result.record


def test_component_runs_on_the_artifacts_of_the_run(mnist_job: Command, finished_root: Path) -> None:
    before = json.loads((finished_root / "runs" / "latest" / "run.json").read_text())
    record = only(mnist_job, "Evaluator", finished_root, "--set", "evaluator.minimum=0.8", "--name", "lower")
    assert statuses(record) == ["reused", "reused", "reused", "ran"]
    assert [step["reason"] for step in record["steps"]] == [
        *[f"from run {before['run_id']}"] * 3,
        "config minimum 0.9 → 0.8",
    ]
    for key in ("fingerprint", "digest", "path", "implementation"):
        assert [step[key] for step in record["steps"][:3]] == [step[key] for step in before["steps"][:3]]
    assert (record["only"], record["from_run"], record["name"]) == ("evaluator", before["run_id"], "lower")
    assert record["config"] == before["config"] | {
        "root": str(finished_root),
        "evaluator": {**before["config"]["evaluator"], "minimum": 0.8},
    }
    assert record["blessed"] is True
    assert (finished_root / "runs" / "latest" / "trainer").resolve() == Path(before["steps"][2]["path"])


def test_result_is_stored_like_that_of_a_whole_run(mnist_job: Command, finished_root: Path, fake_config: Path) -> None:
    alone = only(mnist_job, "evaluator", finished_root, "--set", "evaluator.minimum=0.8")
    whole = mnist_job(
        "run", "--config", fake_config, "--root", finished_root, "--json", "--set", "evaluator.minimum=0.8"
    ).record
    assert statuses(whole) == ["reused", "reused", "reused", "reused", "ran"], "the figures show the new evaluation"
    assert whole["steps"][3]["digest"] == alone["steps"][3]["digest"]
    again = only(mnist_job, "evaluator", finished_root, "--set", "evaluator.minimum=0.8")
    assert statuses(again) == ["reused"] * 4
    assert again["steps"][3]["reason"] == "same code, config, inputs and libraries"


def test_only_the_section_of_a_file_counts(mnist_job: Command, finished_root: Path, write_config: WriteConfig) -> None:
    file = write_config(
        {**FAKES, "transform": {"use": "no:where"}, "seed": 9, "evaluator": {**FAKES["evaluator"], "accuracy": 0.95}}
    )
    record = only(mnist_job, "evaluator", finished_root, "--config", file)
    assert statuses(record)[3] == "ran"
    assert record["steps"][3]["reason"] == "config accuracy 1.0 → 0.95"
    assert record["config"]["seed"] == 0


@pytest.mark.thorough
def test_visualizer_keeps_the_verdict_of_the_run(mnist_job: Command, finished_root: Path) -> None:
    record = only(mnist_job, "visualizer", finished_root, "--no-cache")
    assert statuses(record) == ["reused"] * 4 + ["ran"]
    assert record["blessed"] is True
    assert record["metrics"]["accuracy"] == 1.0


def test_pusher_is_added_to_a_run(mnist_job: Command, finished_root: Path, tmp_path: Path) -> None:
    pusher = (
        "--set",
        "pusher.use=components.testing:FakePusher",
        "--set",
        f"pusher.destination={tmp_path / 'serving'}",
    )
    record = only(mnist_job, "pusher", finished_root, *pusher)
    assert statuses(record) == ["reused"] * 5 + ["ran"]
    assert record["steps"][-1]["published"]
    assert (tmp_path / "serving").is_dir()


@pytest.mark.parametrize("in_run", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["new", "of-the-run"])
def test_custom_step_runs_alone(mnist_job: Command, write_config: WriteConfig, tmp_path: Path, in_run: bool) -> None:
    root, step = tmp_path / "root", {"use": "tests.job.pipeline.test_steps:Measure", "after": "transform"}
    plain, with_step = FAKES, {**FAKES, "steps": {"brightness": step}}
    mnist_job("run", "--config", write_config(with_step if in_run else plain), "--root", root, "--until", "trainer")
    arguments = () if in_run else ("--config", write_config(with_step))
    record = only(mnist_job, "brightness", root, *arguments)
    assert [step["component"] for step in record["steps"]] == ["example_gen", "transform", "brightness"]
    assert record["steps"][-1]["status"] == ("reused" if in_run else "ran")


def test_damaged_artifact_of_the_run_is_reported(mnist_job: Command, finished_root: Path) -> None:
    (finished_root / "runs" / "latest" / "trainer" / "weights.npz").write_bytes(b"")
    result = mnist_job("run", "--only", "evaluator", "--from", "latest", "--root", finished_root)
    assert result.exit_code == 3
    assert "weights.npz has been changed" in result.stderr
    run_id = json.loads((finished_root / "runs" / "latest" / "run.json").read_text())["run_id"]
    planned = mnist_job("plan", "--only", "evaluator", "--from", run_id, "--root", finished_root)
    assert planned.exit_code == 3
    for stderr in (result.stderr, planned.stderr):
        assert f"run all steps again with `--config {run_id}`" in stderr
        assert "resume:" not in stderr
    shutil.rmtree((finished_root / "runs" / "latest" / "transform").resolve())
    result = mnist_job("run", "--only", "evaluator", "--from", "latest", "--root", finished_root)
    assert result.exit_code == 3
    assert "does not exist" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "evaluator"), "--only evaluator needs --from"),
        (("--from", "latest"), "--from latest needs --only"),
        ((), "there is no configuration to run"),
        (
            ("--only", "evaluator", "--from", "latest", "--until", "trainer"),
            "--until trainer cannot be used with --only",
        ),
        (("--only", "evaluatr", "--from", "latest"), "did you mean `evaluator`?"),
        (("--only", "evaluator", "--from", "20000101-000000-0000000"), "has no run `20000101"),
        (("--only", "pusher", "--from", "latest"), "the configuration has no pusher, the only step to run"),
        (
            ("--only", "evaluator", "--from", "latest", "--set", "trainer.epochs=3"),
            "--set trainer.epochs has no effect: only the evaluator is run",
        ),
        (("--only", "evaluator", "--from", "latest", "--set", "evaluator.minimm=1"), "did you mean evaluator.minimum?"),
    ],
)
def test_misuse_is_reported(mnist_job: Command, finished_root: Path, arguments: tuple[str, ...], message: str) -> None:
    result = mnist_job("run", "--root", finished_root, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(list((finished_root / "runs").glob("2*"))) == 1


def test_run_without_the_inputs_is_reported(mnist_job: Command, finished_root: Path) -> None:
    record = finished_root / "runs" / "latest" / "run.json"
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, "steps": values["steps"][:2]}))
    result = mnist_job("run", "--only", "evaluator", "--from", "latest", "--root", finished_root)
    assert result.exit_code == 2
    assert "has no model, which the evaluator reads" in result.stderr


def test_interrupted_step_is_resumed_by_the_printed_command(
    mnist_job: Command, finished_root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "failing.yaml"
    file.write_text(yaml.safe_dump({"evaluator": {"use": "tests.job.runner.test_only:NoEvaluator"}}))
    result = mnist_job("run", "--only", "evaluator", "--from", "latest", "--root", finished_root, "--config", file)
    assert result.exit_code != 0
    run_id = json.loads((finished_root / "runs" / "latest" / "run.json").read_text())["run_id"]
    assert f"run --only evaluator --from {run_id} --config {file} --root {finished_root}" in result.stderr

"""The JSON log, the termination log, and the resume command."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from job.options import RunOptions, python_command
from job.reporters.json_log import JsonLog
from tests.conftest import FAKES, SLOTS, Command, WriteConfig
from tests.support.processes import start, wait_for
from tests.support.trackers import EPOCHS

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def lines(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert list(line) == ["time", "level", "step", "event", "fields"]
        assert TIME.fullmatch(line["time"])
        assert line["level"] in ("info", "warning", "error")
    return found


def test_json_log_contains_the_whole_run(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--log-format", "json")
    assert outcome.exit_code == 0
    assert outcome.stderr == ""
    events = lines(outcome.stdout)
    assert [line["event"] for line in events] == [
        *("run_started", *["step_started", "step_finished"] * 5, "run_finished")
    ]
    assert [line["step"] for line in events if line["event"] == "step_finished"] == SLOTS
    finished = events[-1]
    assert finished["level"] == "info"
    assert finished["fields"]["outcome"] == "succeeded"
    assert finished["fields"]["metrics"]["accuracy"] == 1.0
    assert Path(finished["fields"]["run_directory"], "run.json").is_file()
    assert events[2]["fields"]["status"] == "ran"
    assert "made-up squares" in events[2]["fields"]["summary"]


def test_json_log_leaves_standard_output_to_run_json(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--log-format", "json", "--json")
    assert outcome.record["outcome"] == "succeeded"
    assert len(lines(outcome.stderr)) == 12


def test_json_log_contains_training_and_warnings(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    command = ("run", "--config", write_config(EPOCHS), "--root", tmp_path / "root", "--log-format", "json")
    epochs = [line["fields"] for line in lines(mnist_job(*command).stdout) if line["event"] == "epoch_finished"]
    assert [(epoch["epoch"], epoch["epochs"]) for epoch in epochs] == [(1, 3), (2, 3), (3, 3)]
    assert epochs[0].keys() >= {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    images = min((tmp_path / "root/runs/latest/transform").glob("*.npy"))
    images.write_bytes(images.read_bytes()[:-1])
    (warning,) = [line for line in lines(mnist_job(*command).stdout) if line["level"] == "warning"]
    assert (warning["event"], warning["step"]) == ("warning", "transform")
    assert images.name in warning["fields"]["text"]


def test_json_log_contains_a_failure(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    config = write_config({**FAKES, "example_gen": {"source": {"kind": "idx", "path": str(tmp_path / "nowhere")}}})
    arguments = ("run", "--config", config, "--root", tmp_path / "my root", "--log-format", "json")
    outcome = mnist_job(*arguments)
    assert outcome.exit_code == 3
    *_, finished, failed = lines(outcome.stdout)
    assert (finished["event"], finished["fields"]["outcome"], finished["fields"]["exit_code"]) == (
        *("run_finished", "failed", 3),
    )
    assert (failed["event"], failed["level"], failed["step"]) == ("failed", "error", "example_gen")
    assert "nowhere does not exist" in failed["fields"]["headline"]
    assert failed["fields"]["remedy"]
    assert failed["fields"]["resume"] == (
        f"{python_command()} -m job run --config {config} --root '{tmp_path}/my root' --log-format json"
    )
    wrong = mnist_job(*arguments, "--set", "trainer.nonsense=1")
    (failed,) = lines(wrong.stdout)
    assert failed["fields"]["exit_code"] == 2
    assert failed["fields"]["resume"] == "", "no run began"


@pytest.mark.parametrize(("is_in_path", "program"), [(True, "mnist-job"), (False, "{}/mnist-job")])
def test_resume_command_names_the_console_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_in_path: bool, program: str
) -> None:
    script = tmp_path / "mnist-job"
    script.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(script), "run"])
    monkeypatch.setenv("PATH", str(tmp_path) if is_in_path else "/nonexistent")
    assert RunOptions(config=Path("a.yaml")).command() == f"{program.format(tmp_path)} run --config a.yaml"


def test_resume_command_repeats_all_options(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    config = write_config({**FAKES, "example_gen": {"source": {"kind": "idx", "path": str(tmp_path / "nowhere")}}})
    options = ["--set", "evaluator.minimum=0.5", "--set", "seed=3", "--until", "Trainer", "--no-cache", "--strict"]
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", *options)
    (resume,) = [line.split(maxsplit=1)[1] for line in outcome.stderr.splitlines() if "resume:" in line]
    assert resume == (
        f"{python_command()} -m job run --config {config} --set evaluator.minimum=0.5 --set seed=3 "
        f"--root {tmp_path}/root --until Trainer --no-cache --strict"
    )


def test_training_steps_are_logged_at_intervals() -> None:
    written = io.StringIO()
    log = JsonLog(written)
    for epoch in (1, 2):
        log.epoch_begin(epoch=epoch, epochs=2, steps=64)
        for step in (32, 64):
            log.training_step(step=step, images=step, metrics={"loss": 1.0})
    (event,) = lines(written.getvalue())
    assert (event["event"], event["fields"]["epoch"], event["fields"]["step"]) == ("training_step", 1, 32)


def test_json_log_is_ascii_with_null_for_nan() -> None:
    written = io.StringIO()
    log = JsonLog(written)
    log.epoch_begin(epoch=1, epochs=2, steps=3)
    metrics: dict[str, Any] = {"loss": np.float32(0.5), "accuracy": float("nan"), "val_loss": float("inf")}
    log.epoch_end(metrics=metrics)
    log.message("7 → 8")
    events = lines(written.getvalue())
    assert events[0]["fields"] == {"epoch": 1, "epochs": 2, "steps": 3, "loss": 0.5, "accuracy": None, "val_loss": None}
    assert events[1]["fields"]["text"] == "7 → 8"
    assert written.getvalue().isascii()


@pytest.fixture
def termination_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(path))
    return path


def test_termination_log_contains_the_outcome(
    mnist_job: Command, fake_config: Path, tmp_path: Path, termination_log: Path
) -> None:
    record = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--json").record
    assert json.loads(termination_log.read_bytes()) == {
        "outcome": "succeeded",
        "exit_code": 0,
        "step": None,
        "headline": "",
        "remedy": "",
        "resume": "",
        "metrics": {name: record["metrics"][name] for name in ("accuracy", "loss", "macro_f1")},
        "run_directory": str(tmp_path / "root" / "runs" / record["run_id"]),
    }
    mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--set", "evaluator.accuracy=0.1")
    message = json.loads(termination_log.read_bytes())
    assert (message["outcome"], message["exit_code"]) == ("not_blessed", 4)
    assert message["headline"] == "the model is not blessed: accuracy is 0.1111, minimum 0.9"


def test_termination_log_has_at_most_4096_bytes(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, termination_log: Path
) -> None:
    name = "/".join(["ü" * 100] * 15)
    config = write_config({**FAKES, "example_gen": {"source": {"kind": "idx", "path": "nowhere"}}})
    override = f"example_gen.source.path=/{name}"  # also in the command that resumes the run
    assert mnist_job("run", "--config", config, "--root", tmp_path / "root", "--set", override).exit_code == 3
    content = termination_log.read_bytes()
    assert 1000 < len(content) <= 4096
    message = json.loads(content)
    assert (message["outcome"], message["exit_code"], message["step"]) == ("failed", 3, "example_gen")
    assert message["headline"].startswith("/üü")
    assert message["run_directory"]


@pytest.mark.parametrize("kind", ["fifo", "folder", "full"])
def test_broken_termination_log_hides_no_error(
    mnist_job: Command, fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = Path("/dev/full") if kind == "full" else tmp_path / "log"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(path))
    outcome = mnist_job("run", "--config", fake_config, "--set", "trainer.epoch=3", "--root", tmp_path / "root")
    assert outcome.exit_code == 2
    assert "error: --set trainer.epoch=3: " in outcome.stderr
    assert "cannot write the termination log" in outcome.stdout + outcome.stderr


def test_termination_log_is_written_for_invalid_config(
    mnist_job: Command, fake_config: Path, tmp_path: Path, termination_log: Path
) -> None:
    mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--set", "trainer.nonsense=1")
    message = json.loads(termination_log.read_bytes())
    assert (message["outcome"], message["exit_code"], message["run_directory"]) == ("failed", 2, None)
    assert "trainer.nonsense is not a key" in message["headline"]


def test_unwritable_termination_log_is_a_warning(
    mnist_job: Command, fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(tmp_path / "no" / "such" / "folder"))
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root")
    assert outcome.exit_code == 0
    assert "warning: cannot write the termination log" in outcome.stdout


def test_killed_run_leaves_an_empty_termination_log(
    tmp_path: Path, write_config: WriteConfig, mnist_job: Command, termination_log: Path
) -> None:
    mnist_job("run", "--config", write_config(FAKES), "--root", tmp_path / "root")
    assert termination_log.stat().st_size
    config = write_config({**FAKES, "trainer": {"use": "tests.support.components:SleepingTrainer"}})
    with start("run", "--config", config, "--root", tmp_path / "root") as process:
        wait_for("sleeping", process)
        process.kill()
    assert termination_log.read_bytes() == b"", "Kubernetes then shows the end of the output"
    shown = json.loads(mnist_job("show", "--root", tmp_path / "root", "--json").stdout)
    assert shown["outcome"] == "killed"


def test_resume_command_is_not_strict_after_damage(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    arguments = ("run", "--config", fake_config, "--root", tmp_path / "root")
    mnist_job(*arguments)
    (tmp_path / "root" / "runs" / "latest" / "transform" / "graph.json").write_text("damaged")
    outcome = mnist_job(*arguments, "--strict")
    assert outcome.exit_code == 3
    *_, remedy, resume = outcome.stderr.splitlines()
    assert "run it without --strict" in remedy
    assert resume.endswith(str(tmp_path / "root"))

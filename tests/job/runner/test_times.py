"""Durations of a run by step and part: recorded, printed and logged."""

import io
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from job import run
from job.config.config import load_config
from job.reporters.tables import print_run, print_steps
from job.store.records import Failure, PartRecord, RunRecord, StepRecord
from job.store.runs import Runs
from tests.conftest import FAKES, Command, WriteConfig

OWN = ["fingerprint", "waiting", "look-up"]
"""Parts of every step; steps that run also have `sealing`."""
TIMED = {**FAKES, "trainer": {"use": "tests.support.components:TimedTrainer"}}
BROKEN = {**FAKES, "trainer": {"use": "tests.support.components:BrokenTrainer"}}


def part(name: str, seconds: float, cpu_seconds: float) -> PartRecord:
    return PartRecord(name=name, seconds=seconds, cpu_seconds=cpu_seconds)


def step(component: str, seconds: float, cpu_seconds: float, *parts: PartRecord) -> StepRecord:
    return StepRecord(
        component=component,
        implementation="somewhere:Something",
        status="ran",
        reason="first time",
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        parts=parts,
        fingerprint="f" * 64,
        digest="d" * 64,
        path=f"output/artifacts/{component}/{'f' * 64}",
    )


def record(*steps: StepRecord, **more: Any) -> RunRecord:
    began = datetime.now(UTC)
    values: dict[str, Any] = {"outcome": "succeeded", "exit_code": 0, "seconds": 30.0, "cpu_seconds": 222.5}
    return RunRecord(run_id="1", started=began, config={}, environment={}, steps=steps, **{**values, **more})


TRAINED = (
    step("transform", 0.5, 0.25, part("reading", 0.05, 0.05)),
    step(
        "trainer",
        25.25,
        220.0,
        part("fingerprint", 0.01, 0.01),
        part("imports", 3.0, 4.5),
        part("training", 20.0, 213.0),
        part("sealing", 0.75, 0.02),
    ),
)


def printed(run_record: RunRecord) -> list[str]:
    written = io.StringIO()
    print_steps(Console(file=written, width=80), run_record)
    return written.getvalue().splitlines()


def test_table_shows_long_parts_below_their_step() -> None:
    assert printed(record(*TRAINED)) == [
        "step       status  seconds    cpu s  artifact",
        "transform  ran        0.50     0.25  transform/ffffffffffff",
        "trainer    ran       25.25   220.00  trainer/ffffffffffff",
        "  imports             3.00     4.50",
        "  training           20.00   213.00",
        "  sealing             0.75     0.02",
        "  other               1.49     2.47",
        "overhead              4.25     2.25",
    ]


def test_table_shows_the_unfinished_step() -> None:
    failure = Failure(
        component="trainer",
        seconds=5.0,
        cpu_seconds=6.0,
        parts=(part("training", 5.0, 6.0),),
        headline="interrupted",
        expected="",
        remedy="",
    )
    result = record(TRAINED[0], failure=failure, outcome="terminated", seconds=6.0, cpu_seconds=7.0)
    *_, broken, training, rest = printed(result)
    assert broken == "trainer    interrupted     5.00     6.00"
    assert training.split() == ["training", "5.00", "6.00"]
    assert rest.split() == ["overhead", "0.50", "0.75"]
    after = failure.model_copy(update={"component": "transform"})  # as where its record could not be written
    assert len(printed(result.model_copy(update={"failure": after}))) == 3


def test_last_line_states_the_training_time(tmp_path: Path) -> None:
    def last_line(run_record: RunRecord) -> str:
        written = io.StringIO()
        print_run(Console(file=written, width=80), run_record, tmp_path)
        return written.getvalue().splitlines()[-1]

    assert last_line(record(*TRAINED)) == "done in 30.00 s, 222.50 CPU-s (213.00 in training), exit code 0"
    assert last_line(record(TRAINED[0])) == "done in 30.00 s, 222.50 CPU-s, exit code 0"


def test_record_reads_back_with_and_without_parts(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    outcome = mnist_job("run", "--config", write_config(TIMED), "--root", tmp_path / "root", "--json")
    runs = Runs(tmp_path / "root")
    assert json.loads(runs.read().to_json()) == outcome.record
    older = outcome.record
    del older["cpu_seconds"]
    for one in older["steps"]:
        del one["parts"]
    (runs.path(older["run_id"]) / "run.json").write_text(json.dumps(older))
    assert [one.parts for one in runs.read().steps] == [()] * 5
    shown = mnist_job("show", "--root", tmp_path / "root").stdout
    assert "BLESSED" in shown
    assert "CPU-s" not in shown
    assert "overhead" not in shown


def test_steps_are_recorded_with_their_named_parts(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    arguments = ("run", "--config", write_config(TIMED), "--root", tmp_path / "root", "--json")
    steps = mnist_job(*arguments).record["steps"]
    names = {one["component"]: [part["name"] for part in one["parts"]] for one in steps}
    assert names["trainer"] == [*OWN, "imports", "training", "sealing"]
    assert names["transform"] == [*OWN, "sealing"]
    for one in steps:
        for clock in ("seconds", "cpu_seconds"):
            assert sum(part[clock] for part in one["parts"]) <= one[clock] + 0.001 * len(one["parts"])
    again = mnist_job(*arguments).record["steps"]
    assert [[part["name"] for part in one["parts"]] for one in again] == [OWN] * 5


def test_json_log_contains_the_parts(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    arguments = ("run", "--config", write_config(TIMED), "--root", tmp_path / "root", "--log-format", "json")
    events = [json.loads(line) for line in mnist_job(*arguments).stdout.splitlines()]
    (trainer,) = [line["fields"] for line in events if line["event"] == "step_finished" and line["step"] == "trainer"]
    assert {"imports", "training"} < {part["name"] for part in trainer["parts"]}
    assert all(part.keys() == {"name", "seconds", "cpu_seconds"} for part in trainer["parts"])
    assert events[-1]["fields"]["cpu_seconds"] == Runs(tmp_path / "root").read().cpu_seconds


@pytest.mark.parametrize("config", [TIMED, pytest.param(BROKEN, marks=pytest.mark.thorough)])
def test_steps_take_no_longer_than_the_run(
    mnist_job_process: Command, write_config: WriteConfig, tmp_path: Path, config: dict[str, Any]
) -> None:
    arguments = ("run", "--config", write_config(config), "--root", tmp_path / "root", "--json")
    result = RunRecord.model_validate_json(mnist_job_process(*arguments).stdout)
    assert result.cpu_seconds is not None
    assert sum(timed.seconds for timed in result.timed_records()) <= result.seconds + 0.01
    assert sum(timed.cpu_seconds for timed in result.timed_records()) <= result.cpu_seconds + 0.01
    assert result.training_cpu_seconds() is not None


def test_failed_step_is_recorded_with_its_duration(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    failure = mnist_job("run", "--config", write_config(BROKEN), "--root", tmp_path / "root", "--json").record[
        "failure"
    ]
    assert [part["name"] for part in failure["parts"]] == [*OWN, "training"]


def test_run_from_python_counts_from_its_own_start(write_config: WriteConfig, tmp_path: Path) -> None:
    config = load_config(write_config(FAKES), root=tmp_path / "root")
    wall, cpu = time.perf_counter(), time.process_time()
    result = run(config, console=Console(file=io.StringIO())).record
    assert result.seconds <= time.perf_counter() - wall + 0.001
    assert result.cpu_seconds is not None
    assert result.cpu_seconds <= time.process_time() - cpu + 0.001

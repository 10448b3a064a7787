"""The command `runs`: a table of all runs, its filters, and its JSON."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from job.reporters.runs import print_runs
from job.store.run_names import Tags
from job.store.run_rows import make_rows, producers_by_run
from job.store.runs import Runs
from job.store.summaries import Summaries
from tests.conftest import Command
from tests.support.imports import HEAVY, imported_by
from tests.support.roots import add_run


@pytest.fixture
def root(finished_root: Path) -> Path:
    """Return a root with three older runs besides the finished one."""
    config = Runs(finished_root).read().config
    wider = {**config, "trainer": {**config["trainer"], "seed": 7}, "seed": 7}
    environment = Runs(finished_root).read().environment
    newer = {**environment, "libraries": {**environment["libraries"], "numpy": "99.0"}}
    add_run(finished_root, 1, name="base", source_files={"a.py": "1", "b.py": "1"})
    add_run(finished_root, 2, name="wide-7", config=wider, source_files={"a.py": "2", "b.py": "1"})
    failed = {"outcome": "failed", "exit_code": 1, "blessed": None, "metrics": None, "data_set": "other [data]"}
    add_run(finished_root, 3, config=wider, environment=newer, **failed)
    return finished_root


Listing = list[dict[str, Any]]


def listed(mnist_job: Command, root: Path, *options: str) -> Listing:
    """Return the runs that are listed with some options."""
    outcome = mnist_job("runs", "--root", root, "--json", *options)
    assert outcome.exit_code == 0, outcome.stderr
    runs: Listing = json.loads(outcome.stdout)["runs"]
    return runs


def test_table_has_results_and_differences(mnist_job: Command, root: Path) -> None:
    Tags(root).write("good", Runs(root).ids()[0])
    header, base, wide, failed, last, count = mnist_job("runs", "--root", root).stdout.splitlines()
    assert header.split() == ["run", "age", "val", "test", "params", "cpu", "s", "verdict"]
    assert " 1.0000  1.0000     771 " in base
    assert base.endswith(" BLESSED  base  #good  made-up squares")
    assert wide.endswith("seed 0 → 7  code of a.py"), "a shared key is listed once"
    assert "failed" in failed
    assert "other [data]" in failed
    assert "numpy" in failed
    assert "BLESSED" in last
    assert count == "4 runs"


def test_notes_of_a_run_are_indented_below_it_on_a_terminal(root: Path) -> None:
    rows = make_rows(summaries := Summaries(Runs(root)).read(), tags={}, produced_by=producers_by_run(summaries))
    console = Console(width=80, force_terminal=True, color_system=None, record=True)
    print_runs(console, rows, matching=len(rows), total=len(rows))
    _, first, notes, *_ = console.export_text().splitlines()
    assert first.endswith("BLESSED")
    assert notes == "  base  made-up squares"


def test_json_has_every_documented_key(mnist_job: Command, root: Path) -> None:
    first, second, *_ = listed(mnist_job, root)
    assert first["previous"] is first["differences"] is None
    assert second["previous"] == first["run_id"]
    assert second["differences"] == {"config": {"seed": [0, 7]}, "source_files": ["a.py"], "packages": {}}
    assert second.keys() == {
        *("run_id", "name", "note", "tags", "started", "seconds", "cpu_seconds", "training_cpu_seconds", "data_set"),
        *("outcome", "exit_code", "failure", "blessed", "rubber_stamped", "validation_accuracy", "test_accuracy"),
        *("test_accuracy_interval", "parameters", "epochs", "curve", "steps", "report", "sweep", "only", "from_run"),
        *("previous", "differences"),
    }


def test_reused_step_names_the_run_that_made_it(mnist_job: Command, finished_root: Path, fake_config: Path) -> None:
    mnist_job("run", "--config", fake_config, "--root", finished_root, "--set", "trainer.seed=1")
    made, reused = listed(mnist_job, finished_root)
    by = {step["component"]: (step["status"], step["run_id"]) for step in reused["steps"]}
    assert by["transform"] == ("reused", made["run_id"])
    assert by["trainer"] == ("ran", reused["run_id"])
    Runs(finished_root).remove(made["run_id"])
    (left,) = listed(mnist_job, finished_root)
    assert {step["run_id"] for step in left["steps"]} == {None, reused["run_id"]}


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), [0, 1, 2, 3]),
        (("--last", "2"), [2, 3]),
        (("--name", "WIDE-*"), [1]),
        (("--tag", "good"), [0]),
        (("--outcome", "failed"), [2]),
        (("--outcome", "blessed"), [0, 1, 3]),
        (("--outcome", "succeeded", "--where", "seed=7"), [1]),
        (("--blessed",), [0, 1, 3]),
        (("--blessed", "--last", "1"), [3]),
        (("--data-set", "OTHER*"), [2]),
        (("--where", "seed=7"), [1, 2]),
        (("--where", "seed=7", "--where", "trainer.seed=7", "--blessed"), [1]),
        (("--where", "seed='7'"), []),
        (("--since", "2026-01-01T00:03"), [2, 3]),
        (("--sweep", "none"), []),
    ],
)
def test_filters_select_runs(mnist_job: Command, root: Path, options: tuple[str, ...], numbers: list[int]) -> None:
    ids = Runs(root).ids()
    Tags(root).write("good", ids[0])
    assert [run["run_id"] for run in listed(mnist_job, root, *options)] == [ids[number] for number in numbers]


def test_listed_run_is_compared_with_the_listed_one_before(mnist_job: Command, root: Path) -> None:
    *_, last = listed(mnist_job, root, "--blessed", "--last", "1")
    ids = Runs(root).ids()
    assert last["previous"] == ids[1]
    assert last["differences"]["config"] == {"seed": [7, 0]}


def test_age_is_counted_from_now(mnist_job: Command, finished_root: Path) -> None:
    run = add_run(finished_root, 1)
    Runs(finished_root).write(run.model_copy(update={"started": datetime(2020, 1, 1, tzinfo=UTC)}))
    assert run.run_id not in [found["run_id"] for found in listed(mnist_job, finished_root, "--since", "7d")]
    assert len(listed(mnist_job, finished_root)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--where", "trainer.sed=1"), "did you mean trainer.seed?"),
        (("--where", "trainer"), "it is not a key with a value"),
        (("--since", "yesterday"), "--since 'yesterday' is not an age"),
        (("--outcome", "great"), "one of blessed, running, done, not blessed"),
        (("--last", "0"), "expected: a number greater than or equal to 1"),
    ],
)
def test_invalid_filter_exits_with_2(mnist_job: Command, root: Path, options: tuple[str, ...], message: str) -> None:
    outcome = mnist_job("runs", "--root", root, *options)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_root_without_runs_exits_with_2(mnist_job: Command, tmp_path: Path) -> None:
    outcome = mnist_job("runs", "--root", tmp_path / "nowhere")
    assert outcome.exit_code == 2
    assert "has no runs" in outcome.stderr


def test_runs_imports_no_heavy_packages(finished_root: Path) -> None:
    assert not imported_by("runs", "--root", finished_root) & {*HEAVY, "jinja2"}

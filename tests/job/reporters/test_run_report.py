"""The report of a run: what the visualizer wrote, and what only the job knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components import Visualizer
from components.base.errors import StorageError
from components.visualizer.report import RUN_LINKS_PLACE, RUN_PLACE
from job.reporters.run_report import add_run
from job.store.runs import Runs
from job.store.source_code import find_modules
from tests.conftest import FAKES, SLOTS, Command, WriteConfig
from tests.support.html import read_html
from tests.support.stories import COMMAND, run_record

PAGE = f"<main><ul>{RUN_LINKS_PLACE}</ul>{RUN_PLACE}</main>"


@pytest.fixture
def config(write_config: WriteConfig) -> Path:
    """A configuration of fakes whose visualizer is the real one."""
    return write_config({slot: fake for slot, fake in FAKES.items() if slot != "visualizer"})


def test_every_run_has_a_report_of_its_own(mnist_job: Command, config: Path, tmp_path: Path) -> None:
    root = tmp_path / "a <root>"
    first, second = (mnist_job("run", "--config", config, "--root", root, "--json").record for _ in range(2))
    assert [step["status"] for step in second["steps"]] == ["reused"] * 5
    for record in (first, second):
        path = root / "runs" / record["run_id"] / "report.html"
        assert record["report"] == str(path)
        page = read_html(path.read_text())
        assert page.all("section")[-2].attributes["id"] == "reproduce"
        assert record["run_id"] in page.by_id("reproduce").text
        assert f"job run --config {config} --root '{root}' --json" in page.by_id("reproduce").text
        assert [row.all("b")[0].text for row in page.by_id("cost").all("tr") if row.all("b")] == [*SLOTS, "the rest"]
    assert "5 of its 5 steps were reused" in page.by_id("cost").text
    shown = mnist_job("show", "--root", root).stdout
    assert f"report        {root / 'runs' / second['run_id'] / 'report.html'}\n" in shown


def test_a_visualizer_without_a_report_gives_none(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    record = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--json").record
    assert record["report"] is None
    assert not (tmp_path / "root/runs/latest/report.html").exists()


@pytest.mark.parametrize(
    ("error", "exit_code", "says"),
    [
        (PermissionError("not allowed"), 0, "warning: the report of the run could not be written: not allowed"),
        (StorageError("no space for what is written"), 1, "error: no space for what is written"),
    ],
)
def test_a_run_does_not_fail_for_want_of_a_report_but_on_a_full_disk(
    mnist_job: Command,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    exit_code: int,
    says: str,
) -> None:
    monkeypatch.setattr(Runs, "write_page", raising(error))
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == exit_code
    assert says in outcome.stdout + outcome.stderr
    assert Runs(tmp_path / "root").read().exit_code == exit_code


@pytest.mark.parametrize(
    ("pusher", "exit_code", "told"),
    [
        ("BrokenPusher", 1, "The run failed in its pusher, with exit code 1: a defect: ZeroDivisionError"),
        ("EndedPusher", 143, "The run was asked to end, and did in its pusher, with exit code 143: the job was asked"),
    ],
)
def test_a_run_that_ends_after_its_report_is_made_has_one_that_says_so(
    mnist_job: Command, config: Path, tmp_path: Path, pusher: str, exit_code: int, told: str
) -> None:
    use = f"pusher.use=tests.support.components:{pusher}"
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--set", use, "--json")
    assert outcome.exit_code == outcome.record["exit_code"] == exit_code
    page = read_html(Path(outcome.record["report"]).read_text())
    assert told in page.by_id("reproduce").text
    names = [row.all("b")[0].text for row in page.by_id("cost").all("tr") if row.all("b")]
    assert names == [*SLOTS, "pusher", "the rest"]
    assert told in Path(outcome.record["model_card"]).read_text()


@pytest.mark.parametrize("error", [StorageError("no space"), PermissionError("not allowed"), KeyError("a defect")])
def test_what_keeps_its_report_from_being_written_does_not_hide_why_a_run_failed(
    mnist_job: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(Runs, "write_page", raising(error))
    use = "pusher.use=tests.support.components:EndedPusher"
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--set", use)
    assert outcome.exit_code == 143
    assert "warning: the " in outcome.stdout
    assert "could not be " in outcome.stdout
    assert "error: the job was asked to end" in outcome.stderr
    assert Runs(tmp_path / "root").read().exit_code == 143


def raising(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def test_it_has_the_command_the_configuration_and_every_digest() -> None:
    record = run_record()
    page = read_html(add_run(PAGE, record, command=COMMAND))
    told = page.by_id("reproduce").text
    assert COMMAND in told
    assert "filters: [16, 32, 64]" in told
    assert "2.4.6" in told
    assert all(step.digest in told and step.fingerprint in told for step in record.steps)
    assert "baseline of the evaluator is latest-blessed" in told
    assert [link.attributes["href"] for link in page.all("a")] == ["#reproduce", "#cost"]


def test_time_is_told_by_step_and_part_and_adds_up() -> None:
    record = run_record()
    rows = [
        [cell.text for cell in row.all("th", "td")]
        for row in read_html(add_run(PAGE, record, command="")).by_id("cost").all("table")[0].all("tr")
    ]
    assert rows[1] == ["example_gen ran", "2.00", "1.00", ""]
    assert rows[2] == ["imports", "0.50", "0.40", ""]
    assert rows[-1] == ["the rest", "1.00", "1.00", ""]
    steps = [row for row in rows[1:] if row[0] != "imports"]
    assert sum(float(row[1]) for row in steps) == pytest.approx(record.seconds)


def test_what_steps_observed_is_told() -> None:
    *_, table = read_html(add_run(PAGE, run_record(), command="")).by_id("cost").all("table")
    rows = [[cell.text for cell in row.all("th", "td")] for row in table.all("tr")]
    assert rows[1:] == [["latency ms", "evaluator", "1.94"], ["images per second", "evaluator", "5,301"]]


def test_a_page_that_has_no_place_for_the_run_stays_as_it_is() -> None:
    assert add_run("<p>mine</p>", run_record(), command="") == "<p>mine</p>"


def test_a_template_can_be_edited_and_the_visualizer_runs_again() -> None:
    assert {"components.visualizer.report", "components.visualizer.report.sections"} <= set(find_modules(Visualizer))

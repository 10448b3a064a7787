"""The run's own section in the report and in the model card."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from components import Visualizer
from components.artifacts.figures import CARD_RUN_PLACEHOLDER, REPORT_LINKS_PLACEHOLDER, REPORT_RUN_PLACEHOLDER
from components.base.errors import StorageError
from components.visualizer.model_card import render_card
from job.reporters.run_section import add_run_to_card, add_run_to_report
from job.store.records import RunRecord
from job.store.runs import Runs
from job.store.source_code import DATA_SUFFIXES, find_modules
from tests.conftest import FAKES, SLOTS, Command, WriteConfig, run_job_in_process
from tests.support.cases import parametrize_sample
from tests.support.html import Element, read_html
from tests.support.markdown import Part, read_markdown, to_html
from tests.support.processes import REPOSITORY
from tests.support.report_data import COMMAND, read_statements, run_record
from tests.support.roots import copy_root

PAGE = f"<main><ul>{REPORT_LINKS_PLACEHOLDER}</ul>{REPORT_RUN_PLACEHOLDER}</main>"
CARD = f"# A card\n\n## How to reproduce\n\n{CARD_RUN_PLACEHOLDER}\n"
OVERHEAD = "overhead"


def report_of(record: RunRecord, command: str = COMMAND) -> Element:
    return read_html(add_run_to_report(PAGE, record, command=command))


def card_of(record: RunRecord, command: str = COMMAND) -> Part:
    return read_markdown(add_run_to_card(CARD, record, command=command))["The run"]


def table_rows(table: Element) -> list[list[str]]:
    return [[cell.text for cell in row.all("th", "td")] for row in table.all("tr")]


WITH_REPORT = {slot: fake for slot, fake in FAKES.items() if slot != "visualizer"}


@pytest.fixture(scope="module")
def visualized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run of fakes and the real Visualizer."""
    folder = tmp_path_factory.mktemp("visualized")
    (folder / "config.yaml").write_text(yaml.safe_dump(WITH_REPORT))
    assert run_job_in_process("run", "--config", folder / "config.yaml", "--root", folder / "root").exit_code == 0
    return folder / "root"


@pytest.fixture
def config(write_config: WriteConfig, visualized: Path, tmp_path: Path) -> Path:
    """A configuration of fakes with the real Visualizer, whose artifacts are in the root of the test."""
    copy_root(visualized, tmp_path / "root")
    return write_config(WITH_REPORT)


def test_every_run_has_its_own_report_and_card(mnist_job: Command, config: Path, tmp_path: Path) -> None:
    root = tmp_path / "a `<root>`"
    first, second = (mnist_job("run", "--config", config, "--root", root, "--json").record for _ in range(2))
    assert [step["status"] for step in second["steps"]] == ["reused"] * 5
    command_end = f"job run --config {config} --root '{root}' --json"
    for record in (first, second):
        run = root / "runs" / record["run_id"]
        assert record["report"] == str(run / "report.html")
        page = read_html((run / "report.html").read_text())
        assert page.all("section")[-2].attributes["id"] == "reproduce"
        assert record["run_id"] in page.by_id("reproduce").text
        assert command_end in page.by_id("reproduce").text
        names = [row.all("b")[0].text for row in page.by_id("cost").all("tr") if row.all("b")]
        assert names == [*SLOTS, OVERHEAD]

        assert record["model_card"] == str(run / "model_card.md")
        card = render_card(read_statements(run))
        assert (run / "visualizer" / "model_card.md").read_text() == card
        text = (run / "model_card.md").read_text()
        command = to_html(text).all("pre")[0].text
        assert command.endswith(command_end)
        written = RunRecord.model_validate_json((run / "run.json").read_text())
        assert text == add_run_to_card(card, written, command=command)
        assert CARD_RUN_PLACEHOLDER not in text
    assert "5 of its 5 steps were reused" in page.by_id("cost").text
    shown = mnist_job("show", "--root", root).stdout
    assert f"report        {run / 'report.html'}\n" in shown
    assert f"model card    {run / 'model_card.md'}\n" in shown


def test_a_visualizer_may_write_neither(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--json")
    assert outcome.exit_code == 0
    assert outcome.record["report"] is None
    assert outcome.record["model_card"] is None
    assert not (tmp_path / "root/runs/latest/report.html").exists()
    assert not (tmp_path / "root/runs/latest/model_card.md").exists()
    assert "model card" not in mnist_job("show", "--root", tmp_path / "root").stdout


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (PermissionError("not allowed"), 0, "warning: the report of the run could not be written: not allowed"),
        (StorageError("the disk is full"), 1, "error: the disk is full"),
    ],
)
def test_only_a_full_disk_makes_an_unwritten_report_fatal(
    mnist_job: Command,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    exit_code: int,
    message: str,
) -> None:
    monkeypatch.setattr(Runs, "write_page", raising(error))
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == exit_code
    assert message in outcome.stdout + outcome.stderr
    assert Runs(tmp_path / "root").read().exit_code == exit_code


@parametrize_sample(
    1,
    ("pusher", "exit_code", "sentence"),
    [
        ("BrokenPusher", 1, "The run failed in the pusher, with exit code 1: internal error: ZeroDivisionError"),
        ("EndedPusher", 143, "The run was terminated in the pusher, with exit code 143: termination was requested"),
    ],
)
def test_documents_say_how_a_run_ended_after_them(
    mnist_job: Command, config: Path, tmp_path: Path, pusher: str, exit_code: int, sentence: str
) -> None:
    use = f"pusher.use=tests.support.components:{pusher}"
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--set", use, "--json")
    assert outcome.exit_code == outcome.record["exit_code"] == exit_code
    page = read_html(Path(outcome.record["report"]).read_text())
    assert sentence in page.by_id("reproduce").text
    names = [row.all("b")[0].text for row in page.by_id("cost").all("tr") if row.all("b")]
    assert names == [*SLOTS, "pusher", OVERHEAD]
    assert sentence in Path(outcome.record["model_card"]).read_text()


@parametrize_sample(1, "error", [StorageError("no space"), PermissionError("not allowed"), KeyError("oh")])
def test_an_unwritten_report_does_not_hide_the_failure(
    mnist_job: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(Runs, "write_page", raising(error))
    use = "pusher.use=tests.support.components:EndedPusher"
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--set", use)
    assert outcome.exit_code == 143
    assert "warning: the " in outcome.stdout
    assert "could not be " in outcome.stdout
    assert "error: termination was requested" in outcome.stderr
    assert Runs(tmp_path / "root").read().exit_code == 143


def raising(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def test_report_has_command_configuration_and_digests() -> None:
    record = run_record()
    page = report_of(record)
    text = page.by_id("reproduce").text
    assert COMMAND in text
    assert "filters: [16, 32, 64]" in text
    assert "2.4.6" in text
    assert all(step.digest in text and step.fingerprint in text for step in record.steps)
    assert "baseline of the evaluator is latest-blessed" in text
    assert [link.attributes["href"] for link in page.all("a")] == ["#reproduce", "#cost"]


def test_card_has_command_configuration_and_digests() -> None:
    record = run_record()
    part = card_of(record)
    assert COMMAND in part.words
    (settings,) = [yaml.safe_load(block) for block in blocks(add_run_to_card(CARD, record, command=COMMAND), "yaml")]
    assert settings == record.config
    assert f"This is run {record.run_id} , started on 2026-11-26 14:06 UTC" in part.text
    assert "The baseline of the evaluator is latest-blessed from run 20261125-101112-1314abc" in part.text
    steps, environment = part.tables
    assert steps[1:] == [[step.component, step.reason, step.fingerprint, step.digest] for step in record.steps]
    assert environment[1:] == [["version", "0.1.0"], ["python", "3.11.7"], ["numpy", "2.4.6"]]


def test_name_and_note_are_in_report_and_card() -> None:
    record = run_record().model_copy(update={"name": "wide", "note": "first <b>\nfor *all* digits"})
    note = r"Note: first <b>\nfor *all* digits"
    for text in (report_of(record).by_id("reproduce").text, card_of(record).text):
        assert f"This is run {record.run_id} , named wide , started on" in text
        assert note in text


def test_card_names_the_pushed_version_or_the_reason() -> None:
    record = run_record()
    *others, last = record.steps
    pushed = last.model_copy(update={"component": "pusher", "published": "version 3: serving/a_b/3"})
    text = card_of(record.model_copy(update={"steps": (*others, last, pushed)})).text
    assert "The pusher published version 3: serving/a_b/3 ." in text
    text = card_of(record.model_copy(update={"withheld": "the model is not blessed"})).text
    assert "The model was not pushed: the model is not blessed." in text
    assert "push" not in card_of(record).text


def test_times_of_steps_and_overhead_add_up() -> None:
    record = run_record()
    rows = table_rows(report_of(record).by_id("cost").all("table")[0])
    assert rows[1] == ["example_gen ran", "2.00", "1.00", ""]
    assert rows[2] == ["imports", "0.50", "0.40", ""]
    assert rows[-1] == [OVERHEAD, "1.00", "1.00", ""]
    steps = [row for row in rows[1:] if row[0] != "imports"]
    assert sum(float(row[1]) for row in steps) == pytest.approx(record.seconds)


def test_report_lists_the_observations_of_steps() -> None:
    *_, table = report_of(run_record()).by_id("cost").all("table")
    assert table_rows(table)[1:] == [["latency ms", "evaluator", "1.94"], ["images per second", "evaluator", "5,301"]]


@pytest.mark.parametrize("text", ["```\n# no heading", "a | b", "<b>", "`", "[x](y)"])
def test_markup_in_a_configuration_or_reason_is_escaped(text: str) -> None:
    steps = tuple(step.model_copy(update={"reason": text}) for step in run_record().steps)
    record = run_record(config={"root": text}, steps=steps)
    card = add_run_to_card(CARD, record, command=f"job run {text}")
    assert yaml.safe_load(blocks(card, "yaml")[0]) == record.config
    assert blocks(card, "sh") == [f"job run {text}\n"]
    assert {row[1] for row in card_of(record).tables[0][1:]} == {" ".join(text.split())}
    assert list(read_markdown(card)) == ["A card", "How to reproduce", "The run"]


def blocks(card: str, language: str) -> list[str]:
    """Return the text of each code block in a language."""
    return [
        "".join(code.words)
        for code in to_html(card).all("code")
        if code.attributes.get("class") == f"language-{language}"
    ]


def test_a_run_from_python_has_no_command() -> None:
    sentence = "The run was started from Python, with the configuration below."
    assert sentence in card_of(run_record(), "").text
    assert sentence in report_of(run_record(), "").text


def test_documents_without_placeholders_stay_unchanged() -> None:
    assert add_run_to_report("<p>mine</p>", run_record(), command="") == "<p>mine</p>"
    assert add_run_to_card("# mine\n", run_record(), command="") == "# mine\n"


def test_template_edits_change_the_visualizers_fingerprint() -> None:
    packages = {f"components.visualizer.{name}" for name in ("model_card", "report", "report.sections", "sketchpad")}
    folders = {
        path.parent for path in (REPOSITORY / "components/visualizer").rglob("*") if path.suffix in DATA_SUFFIXES
    }
    modules = find_modules(Visualizer)
    assert {modules[name].parent for name in packages} == folders, "a template is in another package"

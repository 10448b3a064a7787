"""The model card of a run: what its manifests state, and what only the job knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.visualizer.model_card import render_card
from components.visualizer.report import CARD_RUN_PLACE
from job.reporters.run_card import add_run_to_card
from job.store.records import RunRecord
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.markdown import Part, read_markdown, to_html
from tests.support.stories import COMMAND, run_record, stated_by

CARD = f"# A card\n\n## How to reproduce it\n\n{CARD_RUN_PLACE}\n"


def reproduce(record: RunRecord, command: str = COMMAND) -> Part:
    return read_markdown(add_run_to_card(CARD, record, command=command))["The run"]


def test_every_run_has_a_card_filled_from_what_it_sealed(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    config = write_config({slot: fake for slot, fake in FAKES.items() if slot != "visualizer"})
    root = tmp_path / "a `root`"
    first, second = (mnist_job("run", "--config", config, "--root", root, "--json").record for _ in range(2))
    for found in (first, second):
        path = root / "runs" / found["run_id"] / "model_card.md"
        assert found["model_card"] == str(path)
        card = render_card(stated_by(path.parent))
        assert (path.parent / "visualizer" / "model_card.md").read_text() == card
        record = RunRecord.model_validate_json((path.parent / "run.json").read_text())
        told = path.read_text()
        command = to_html(told).all("pre")[0].text
        assert command.endswith(f"job run --config {config} --root '{root}' --json")
        assert told == add_run_to_card(card, record, command=command)
        assert CARD_RUN_PLACE not in told
    shown = mnist_job("show", "--root", root).stdout
    assert f"model card    {root / 'runs' / second['run_id'] / 'model_card.md'}\n" in shown


def test_a_visualizer_without_a_card_gives_none(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--json")
    assert outcome.exit_code == 0
    assert outcome.record["model_card"] is None
    assert not (tmp_path / "root/runs/latest/model_card.md").exists()
    assert "model card" not in mnist_job("show", "--root", tmp_path / "root").stdout


def test_where_the_model_was_pushed_to_or_why_not_is_told() -> None:
    record = run_record()
    *others, last = record.steps
    pushed = last.model_copy(update={"component": "pusher", "published": "version 3: serving/a_b/3"})
    told = reproduce(record.model_copy(update={"steps": (*others, last, pushed)})).text
    assert "What the pusher delivered is version 3: serving/a_b/3 ." in told
    told = reproduce(record.model_copy(update={"withheld": "the model is not blessed"})).text
    assert "The model was not pushed: the model is not blessed." in told
    assert "push" not in reproduce(record).text


def test_it_has_the_command_the_configuration_and_every_digest() -> None:
    record = run_record()
    part = reproduce(record)
    assert COMMAND in part.words
    (settings,) = [yaml.safe_load(words) for words in blocks(add_run_to_card(CARD, record, command=COMMAND), "yaml")]
    assert settings == record.config
    assert f"This is run {record.run_id} of 2026-11-26 14:06 UTC" in part.text
    assert "The baseline of the evaluator is latest-blessed , of run 20261125-101112-1314abc" in part.text
    steps, environment = part.tables
    assert steps[1:] == [[step.component, step.reason, step.fingerprint, step.digest] for step in record.steps]
    assert environment[1:] == [["version", "0.1.0"], ["python", "3.11.7"], ["numpy", "2.4.6"]]


def blocks(card: str, language: str) -> list[str]:
    """Return the text of each block of code in a language, its lines as they are."""
    return [
        "".join(code.words)
        for code in to_html(card).all("code")
        if code.attributes.get("class") == f"language-{language}"
    ]


@pytest.mark.parametrize("odd", ["```\n# no heading", "a | b", "<b>", "`", "[x](y)"])
def test_what_is_odd_in_a_configuration_or_a_reason_stays_what_it_is(odd: str) -> None:
    steps = tuple(step.model_copy(update={"reason": odd}) for step in run_record().steps)
    record = run_record(config={"root": odd}, steps=steps)
    card = add_run_to_card(CARD, record, command=f"job run {odd}")
    assert yaml.safe_load(blocks(card, "yaml")[0]) == record.config
    assert blocks(card, "sh") == [f"job run {odd}\n"]
    assert {row[1] for row in reproduce(record).tables[0][1:]} == {" ".join(odd.split())}
    assert list(read_markdown(card)) == ["A card", "How to reproduce it", "The run"]


def test_a_run_from_python_has_no_command() -> None:
    assert "It was begun from Python, with the configuration below." in reproduce(run_record(), "").text


def test_a_card_that_has_no_place_for_the_run_stays_as_it_is() -> None:
    assert add_run_to_card("# mine\n", run_record(), command="") == "# mine\n"

"""The name and the note of a run, wherever the run is reported."""

import json
from pathlib import Path

import pytest

from job.python.run import load_run
from tests.conftest import Command

NOTE = "wider [first] layer <b>\nfor *all* digits"
ONE_LINE = r"wider [first] layer <b>\nfor *all* digits"


def test_name_and_note_are_reported(
    mnist_job: Command, fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(tmp_path / "termination-log"))
    root = tmp_path / "root"
    arguments = ("run", "--config", fake_config, "--root", root, "--name", "wide", "--note", NOTE)
    printed = mnist_job(*arguments).stdout
    run = load_run("wide", root)
    assert (run.record.name, run.record.note) == ("wide", NOTE)
    assert f"run {run.id}  wide  root {root}\n" in printed
    assert f"note          {ONE_LINE}\n" in printed
    shown = mnist_job("show", "wide", "--root", root).stdout
    assert shown.startswith(f"run {run.id}  wide  ")
    assert f"note          {ONE_LINE}\n" in shown
    assert json.loads((tmp_path / "termination-log").read_text())["name"] == "wide"
    assert f"run {run.id} · wide" in run._repr_html_()
    logged = mnist_job(*arguments, "--log-format", "json").stdout.splitlines()
    fields = json.loads(logged[0])["fields"]
    assert (fields["name"], fields["note"]) == ("wide", NOTE)


def test_run_without_a_name_reports_none(mnist_job: Command, finished_root: Path) -> None:
    shown = mnist_job("show", "--root", finished_root).stdout
    assert "note" not in shown
    assert "None" not in shown


def test_invalid_name_or_note_is_refused_before_any_work(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    for options, message in (
        (("--name", "latest"), "`latest` cannot be the name of a run: it is reserved"),
        (("--note", "x" * 2001), "the note has 2,001 characters"),
    ):
        outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", *options)
        assert outcome.exit_code == 2
        assert message in outcome.stderr
    assert not (tmp_path / "root").exists()

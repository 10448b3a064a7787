"""Transfers of some seconds are shown: as a bar on a terminal, as lines elsewhere, as messages in the JSON log."""

import json
from io import StringIO

import pytest
from rich.console import Console

from components.object_storage.reports import report_transfer, transfers_reported_to
from job.reporters import transfers
from job.reporters.console import ConsoleReporter
from job.reporters.json_log import JsonLog

TEXT = "downloading from s3://bucket/mnist"


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "BAR_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(transfers, "LINE_AFTER_SECONDS", 0.0)


def transfer() -> None:
    with report_transfer(TEXT, files=2, size=3_000_000) as on_bytes:
        on_bytes(1_500_000)
        on_bytes(1_500_000)


def shown(*, is_terminal: bool) -> str:
    written = StringIO()
    with transfers_reported_to(ConsoleReporter(Console(file=written, force_terminal=is_terminal, width=100))):
        transfer()
    return written.getvalue()


@pytest.mark.usefixtures("_at_once")
def test_terminal_has_a_bar() -> None:
    text = shown(is_terminal=True)
    assert TEXT in text
    assert "1.5/3.0 MB" in text


@pytest.mark.usefixtures("_at_once")
def test_log_has_lines() -> None:
    first, last = shown(is_terminal=False).splitlines()
    assert first == f"  {TEXT}: 2 files, 3.0 MB, 50%"
    assert last.startswith(f"  {TEXT}: 2 files, 3.0 MB, done in ")


@pytest.mark.usefixtures("_at_once")
def test_json_log_has_messages() -> None:
    written = StringIO()
    with transfers_reported_to(JsonLog(written)):
        transfer()
    first, _ = map(json.loads, written.getvalue().splitlines())
    assert (first["event"], first["fields"]) == ("message", {"text": f"{TEXT}: 2 files, 3.0 MB, 50%"})


@pytest.mark.parametrize("is_terminal", [True, False])
def test_short_transfers_are_not_shown(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    monkeypatch.setattr(transfers, "BAR_AFTER_SECONDS", 60.0)
    monkeypatch.setattr(transfers, "LINE_AFTER_SECONDS", 60.0)
    assert shown(is_terminal=is_terminal) == ""


@pytest.mark.usefixtures("_at_once")
def test_bar_of_an_epoch_stays_alone() -> None:
    written = StringIO()
    reporter = ConsoleReporter(Console(file=written, force_terminal=True, width=100))
    with transfers_reported_to(reporter):
        reporter.epoch_begin(epoch=1, epochs=2, steps=3)
        transfer()
        reporter.epoch_end(metrics=dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), 0.5))
    assert TEXT not in written.getvalue()

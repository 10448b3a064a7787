"""Summaries of all runs: what they state, and when they are made again."""

from pathlib import Path
from typing import Any

import pytest

from components.artifacts import Epoch
from job.store import summaries as module
from job.store.records import RunRecord
from job.store.runs import Runs, read_record
from job.store.summaries import CACHE, Patch, Summaries
from job.store.summary import MAX_CURVE_POINTS, RunSummary, learning_curve
from tests.support.roots import add_run


def read(root: Path) -> list[RunSummary]:
    return Summaries(Runs(root)).read()


@pytest.fixture
def read_records(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the runs whose records are read."""
    found: list[str] = []

    def counting(folder: Path) -> RunRecord:
        found.append(folder.name)
        return read_record(folder)

    monkeypatch.setattr(module, "read_record", counting)
    return found


def test_summary_states_what_record_and_model_state(finished_root: Path) -> None:
    (summary,) = read(finished_root)
    record = Runs(finished_root).read()
    assert record.metrics is not None
    assert (summary.run_id, summary.outcome, summary.blessed) == (record.run_id, "succeeded", True)
    assert (summary.test_accuracy, summary.data_set) == (record.metrics["accuracy"], record.data_set)
    assert summary.parameters == 771
    assert summary.epochs == len(summary.curve) == 1
    assert summary.facts.config["evaluator.minimum"] == 0.9
    assert "root" not in summary.facts.config
    assert {"numpy", "python"} <= summary.facts.packages.keys()


def test_records_are_read_once(finished_root: Path, read_records: list[str]) -> None:
    added = [add_run(finished_root, number, name=f"{number}").run_id for number in range(3)]
    before = read(finished_root)
    assert [summary.run_id for summary in before[:3]] == added
    read_records.clear()
    assert read(finished_root) == before
    assert read_records == []


def test_changed_and_deleted_runs_are_noticed(finished_root: Path, read_records: list[str]) -> None:
    changed, deleted = (add_run(finished_root, number) for number in range(2))
    read(finished_root)
    read_records.clear()
    Runs(finished_root).write(changed.model_copy(update={"note": "another"}))
    Runs(finished_root).remove(deleted.run_id)
    found = {summary.run_id: summary.note for summary in read(finished_root)}
    assert found[changed.run_id] == "another"
    assert deleted.run_id not in found
    assert read_records == [changed.run_id]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\x00\xff", b'{"version": 0, "runs": []}', b'{"version": 1, "runs": [{}]}']
)
def test_damaged_cache_is_made_again(finished_root: Path, content: bytes) -> None:
    before = read(finished_root)
    cache = finished_root / "runs" / CACHE
    complete = cache.read_bytes()
    cache.write_bytes(content)
    assert read(finished_root) == before
    assert cache.read_bytes() == complete


def test_run_whose_process_is_gone_is_killed(finished_root: Path) -> None:
    run = add_run(finished_root, 1, outcome="running", exit_code=None)
    runs = Runs(finished_root)
    assert {summary.outcome for summary in read(finished_root)} == {"killed", "succeeded"}
    with runs.alive(run):
        assert {summary.outcome for summary in read(finished_root)} == {"running", "succeeded"}


@pytest.mark.parametrize("content", [None, "{", '{"schema_version": 99}'])
def test_damaged_record_is_listed_as_damaged(finished_root: Path, content: str | None) -> None:
    run = add_run(finished_root, 1)
    path = finished_root / "runs" / run.run_id / "run.json"
    path.unlink() if content is None else path.write_text(content)
    damaged, intact = read(finished_root)
    assert (damaged.run_id, damaged.outcome, damaged.started) == (run.run_id, "damaged", run.started)
    assert intact.outcome == "succeeded"
    Runs(finished_root).write(run)
    assert read(finished_root)[0].outcome == "succeeded", "restored"


def test_cache_that_cannot_be_written_is_no_error(finished_root: Path) -> None:
    (finished_root / "runs" / CACHE).unlink()
    (finished_root / "runs" / CACHE / "folder").mkdir(parents=True)
    assert read(finished_root) == read(finished_root) != []


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"a": 1}), ({"a": 1}, {}), ({"a": 1, "b": None}, {"a": [2], "b": None}), ({"a": 1}, {"a": 1})],
)
def test_patch_leads_from_one_mapping_to_the_next(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert Patch.between(before, after).apply(before) == after


@pytest.mark.parametrize("epochs", [1, 2, MAX_CURVE_POINTS, 1000])
def test_curve_is_short_and_has_both_ends(epochs: int) -> None:
    history = tuple(
        Epoch(epoch=n, loss=1, accuracy=n / epochs, val_loss=1, val_accuracy=0.5, learning_rate=0.1)
        for n in range(1, epochs + 1)
    )
    curve = learning_curve(history)
    assert len(curve) == min(epochs, MAX_CURVE_POINTS)
    assert curve[-1] == (1.0, 0.5)
    assert curve[0] == (round(1 / epochs, 4), 0.5)

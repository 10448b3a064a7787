"""The run of worker 0, which another worker reads from the root."""

from pathlib import Path

import pytest

from components.base.cluster import Cluster
from components.base.errors import ResourceError
from job.runner import chief
from job.runner.chief import ChiefRun
from job.store.records import ClusterRecord, RunRecord
from job.store.runs import Runs

CLUSTER = Cluster(workers=("a:1", "b:1"), index=1, source="TF_CONFIG")
OTHER = Cluster(workers=("a:2", "b:2"), index=1, source="TF_CONFIG")


@pytest.fixture
def runs(finished_root: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(chief, "POLL_SECONDS", 0.0)
    return Runs(finished_root)


def begin(runs: Runs, cluster: Cluster) -> RunRecord:
    newest = runs.read()
    return runs.begin(config=newest.config, environment={}, cluster=ClusterRecord.of(cluster))


def test_run_of_worker_0_has_the_same_workers(runs: Runs) -> None:
    begin(runs, CLUSTER)  # killed before
    with runs.alive(begin(runs, OTHER)):
        found = ChiefRun(runs, CLUSTER)
        found.read()
        assert found.record is None
        with runs.alive(record := begin(runs, CLUSTER)):
            found.read()
            assert found.record == record
            assert not found.has_ended
            found.check_alive("trainer", record.run_id)


def test_killed_run_of_worker_0_has_ended(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ChiefRun(runs, CLUSTER)
    with runs.alive(record := begin(runs, CLUSTER)):
        found.read()
    found.read()
    assert not found.has_ended, "its lock was released only a moment ago"
    monkeypatch.setattr(chief, "SILENT_SECONDS", 0.0)
    with pytest.raises(ResourceError, match="worker 0 ended before it sealed the trainer: it was killed"):
        found.check_alive("trainer", record.run_id)


def test_next_run_of_worker_0_needs_the_worker_again(runs: Runs) -> None:
    found = ChiefRun(runs, CLUSTER)
    with runs.alive(first := begin(runs, CLUSTER)):
        found.read()
    with runs.alive(second := begin(runs, CLUSTER)):
        found.read()
        with pytest.raises(ResourceError, match=f"it began again as run {second.run_id}"):
            found.check_alive("trainer", first.run_id)
        found.check_alive("trainer", second.run_id)


def test_worker_waits_for_a_sealed_artifact_after_the_run(runs: Runs) -> None:
    """A network file system may show it later than the record."""
    found = ChiefRun(runs, CLUSTER)
    with runs.alive(record := begin(runs, CLUSTER)):
        runs.write(record.model_copy(update={"steps": runs.read("latest").steps, "outcome": "failed"}))
        found.read()
    assert found.has_ended
    found.check_alive("trainer", record.run_id)

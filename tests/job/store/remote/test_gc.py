"""Garbage collection on a root in object storage, from another machine than the one that ran."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.object_storage import Objects, ObjectUrl, open_objects
from job.store.remote.lease import Leases, Owner
from tests.conftest import Command, CommandResult
from tests.support.object_servers import Bucket

Machine = Callable[..., CommandResult]


@pytest.fixture
def machine(s3: Bucket, mnist_job: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a function that runs a command on the root, on the machine with a number."""

    def run(number: int, *arguments: object) -> CommandResult:
        monkeypatch.setenv("JOB_CACHE", str(tmp_path / f"cache-{number}"))
        result = mnist_job(*arguments, "--root", f"{s3.url}/root")
        assert result.exit_code == 0, result.stderr
        return result

    return run


@pytest.fixture
def objects(s3: Bucket) -> Objects:
    return open_objects(ObjectUrl.parse(f"{s3.url}/root"))


def garbage(result: CommandResult) -> list[str]:
    return [item["kind"] for item in json.loads(result.stdout)["garbage"]]


def used(record: dict[str, list[dict[str, str]]]) -> set[str]:
    return {f"artifacts/{step['component']}/{step['fingerprint']}" for step in record["steps"]}


def test_another_machine_collects_what_no_run_needs(
    machine: Machine, objects: Objects, fake_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "--config", fake_config, "--json")
    old = machine(1, *run, "--set", "evaluator.accuracy=0.95").record
    new = machine(1, *run).record
    fingerprint = "0" * 64
    objects.upload(b"x", f"artifacts/trainer/{fingerprint}/attempt/weights.npz")  # of a killed upload
    objects.upload(b"x", f"artifacts/trainer/{fingerprint}.partial/attempt/state.npz")  # a checkpoint
    objects.create(f"artifacts/trainer/{fingerprint}.lock", Owner("run", "gone").content())

    gc = ("gc", "--keep", 1, "--json")
    before = objects.list()
    listed = machine(2, *gc)
    assert garbage(listed) == ["run", "artifact", "artifact"]
    size = json.loads(listed.stdout)["garbage"][0]["size"]
    assert size == sum(info.size for info in before if old["run_id"] in info.key), "not that of the local copy"
    with Leases(objects, "three").try_acquire(f"runs/{old['run_id']}/lock") as free:
        assert free
        assert garbage(machine(2, *gc)) == [], "the run is in progress on another machine"
    monkeypatch.setattr("job.store.remote.lease.LIFE_SECONDS", -2.0)
    objects.create(f"runs/{old['run_id']}/lock", Owner("run", "gone").content())  # of a killed process
    deleted = machine(2, *gc, "--delete")
    assert len(json.loads(deleted.stdout)["deleted"]) == 3
    keys = {info.key for info in objects.list()}
    assert not any(old["run_id"] in key for key in keys)
    gone = used(old) - used(new)
    assert {key for key in keys if key.startswith((*gone,))} == {f"{key}.json" for key in gone}, "tombstones"
    assert {f"{key}.json" for key in used(new)} < keys

    assert machine(1, "verify").stdout == "5 artifacts verified, 0 failed\n"
    again = machine(1, *run, "--set", "evaluator.accuracy=0.95").record
    assert [step["status"] for step in again["steps"]] == ["reused"] * 3 + ["ran"] * 2
    assert [step["digest"] for step in again["steps"]] == [step["digest"] for step in old["steps"]]


@pytest.mark.thorough
def test_leftovers_are_collected_when_they_are_old(
    machine: Machine, objects: Objects, fake_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(1, "run", "--config", fake_config)
    before = {info.key for info in objects.list()}
    fingerprint = "0" * 64
    objects.upload(b"x", f"artifacts/trainer/{fingerprint}/attempt/weights.npz")
    objects.upload(b"x", f"artifacts/trainer/{fingerprint}.partial/attempt/state.npz")
    objects.create(f"artifacts/transform/{fingerprint}.lock", Owner("run", "gone").content())
    gc = ("gc", "--older-than", "0s", "--json")
    assert garbage(machine(2, *gc)) == ["partial", "partial"], "the lease may be alive"
    monkeypatch.setattr("job.store.remote.lease.LIFE_SECONDS", -2.0)
    assert garbage(machine(2, *gc, "--delete")) == ["partial", "partial", "partial"]
    assert {info.key for info in objects.list()} == before

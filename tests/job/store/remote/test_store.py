"""The store of a remote root: one machine seals, all find the same artifact, and nothing damaged is used."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from components import Context, PushedModel, Pusher
from components.base.errors import ConfigError, IntegrityError, ResourceError, StorageError
from components.object_storage import ObjectUrl, open_objects
from components.object_storage.settings import StorageSettings, configure_storage
from components.testing import FakeExampleGen
from job.store.fingerprint import FingerprintInputs, fingerprint_inputs
from job.store.manifest import SchemaVersionError
from job.store.remote.root import RemoteRoot
from job.store.remote.store import RemoteStore
from job.store.sealed import SealedArtifact
from tests.support.faulty_proxy import FaultyProxy, error
from tests.support.object_servers import Bucket

SLOT = "example_gen"
FILES = ("test/00000.parquet", "train/00000.parquet", "validation/00000.parquet")


@dataclass
class Machine:
    """A machine with its own cache."""

    store: RemoteStore
    warnings: list[str]

    def seal(self, component: FakeExampleGen | None = None, key: FingerprintInputs | None = None) -> SealedArtifact:
        component = component or FakeExampleGen()
        key = key or fingerprint_inputs(component, {})
        with self.store.staged(SLOT, key.fingerprint) as stage:
            return self.store.seal(stage, key, component.run(Context(output=stage.files)), self.warnings.append)

    def local_files(self, sealed: SealedArtifact) -> set[str]:
        directory = self.store.directory(SLOT, sealed.manifest.fingerprint)
        return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


Machines = Callable[[str], Machine]


@pytest.fixture
def machine(s3: Bucket, tmp_path: Path) -> Machines:
    """Return a function that returns a machine, by its name."""

    def make(name: str) -> Machine:
        objects = open_objects(ObjectUrl.parse(f"{s3.url}/root"))
        store = RemoteStore(RemoteRoot(objects, tmp_path / name / "roots" / "root"))
        store.remote.refresh(store.root)
        return Machine(store, [])

    return make


def change(bucket: Bucket, end: str, content: bytes) -> str:
    """Replace the content of the one object whose key ends like this; return its key."""
    (key,) = (key for key in bucket.objects() if key.endswith(end))
    open_objects(ObjectUrl.parse(bucket.url)).upload(content, key)
    return key


def keys(bucket: Bucket, sealed: SealedArtifact) -> list[str]:
    """Return the keys of the objects of an artifact, without their common beginning and the random attempt."""
    fingerprint = sealed.manifest.fingerprint
    found = [key.partition(fingerprint)[2] for key in bucket.objects() if fingerprint in key]
    return sorted(key.partition("/")[2].partition("/")[2] or key for key in found)


def test_another_machine_finds_and_fetches_what_one_sealed(s3: Bucket, machine: Machines) -> None:
    sealed = machine("one").seal()
    fingerprint = sealed.manifest.fingerprint
    assert keys(s3, sealed) == [".json", *FILES]
    two = machine("two")
    found = two.store.find(SLOT, fingerprint)
    assert found is not None
    assert found.manifest == sealed.manifest
    assert two.local_files(found) == {"manifest.json"}, "a look-up downloads nothing"
    found.fetch("test/00000.parquet")
    assert two.local_files(found) == {"manifest.json", "test/00000.parquet"}
    stored = found.stored()
    assert two.local_files(found) == {"manifest.json", *FILES}
    found.verify()
    for name in FILES:
        assert (stored.directory / name).read_bytes() == (sealed.directory / name).read_bytes()
    assert two.store.find(SLOT, "0" * 64) is None
    assert [entry.kind for entry, _ in two.store.measured_entries()] == ["sealed"]


def test_look_up_takes_one_round_trip(machine: Machines, s3_proxy: FaultyProxy) -> None:
    fingerprint = machine("one").seal().manifest.fingerprint
    two = machine("two")
    s3_proxy.plan()
    with two.store.acquire(SLOT, fingerprint, owner="run"):
        assert two.store.find(SLOT, fingerprint) is not None
    assert sorted(request.method for request in s3_proxy.requests) == ["GET", "GET"], "both at the same time"
    s3_proxy.plan()
    with two.store.acquire(SLOT, fingerprint, owner="run"):
        pass
    assert two.store.find(SLOT, fingerprint) is not None
    assert s3_proxy.count() == 4, "a look-up of another block is not used again"


def test_second_machine_uses_the_equal_result_of_the_first(s3: Bucket, machine: Machines) -> None:
    one, two = machine("one"), machine("two")
    sealed = one.seal()
    before = s3.objects()
    again = two.seal()
    assert again.manifest == sealed.manifest
    assert s3.objects() == before
    assert two.local_files(again) == {"manifest.json", *FILES}
    again.verify()


def test_different_result_is_kept_as_quarantined(s3: Bucket, machine: Machines) -> None:
    one, two = machine("one"), machine("two")
    sealed = one.seal()
    before = s3.objects()
    again = two.seal(FakeExampleGen(FakeExampleGen.Config(seed=7)), fingerprint_inputs(FakeExampleGen(), {}))
    assert again.manifest == sealed.manifest
    (warning,) = two.warnings
    assert "is not deterministic" in warning
    assert before.items() < s3.objects().items(), "nothing sealed changes"
    kinds = {entry.kind: entry for entry, _ in two.store.measured_entries()}
    assert {*kinds} == {"sealed", "quarantined"}
    assert two.store.address(kinds["quarantined"].path) in warning
    assert two.store.remove(kinds["quarantined"], lambda: False)
    assert s3.objects() == before


def test_artifact_without_files_is_sealed_and_found(machine: Machines) -> None:
    one, two = machine("one"), machine("two")
    key = fingerprint_inputs(Pusher(Pusher.Config(destination="pushed")), {})

    def seal(store: RemoteStore) -> SealedArtifact:
        with store.staged("pusher", key.fingerprint) as stage:
            return store.seal(stage, key, PushedModel(withheld="not blessed"), one.warnings.append)

    sealed = seal(one.store)
    assert sealed.stored().directory.is_dir()
    sealed.verify()
    assert seal(two.store).manifest == sealed.manifest
    three = machine("three").store
    found = three.find("pusher", key.fingerprint)
    assert found is not None
    assert found.stored().artifact == sealed.artifact
    found.verify()
    assert one.warnings == []
    ((entry, _),) = three.measured_entries()
    assert entry.kind == "sealed"
    assert three.measure(entry) is not None
    assert three.remove(entry, lambda: False)
    assert one.store.find("pusher", key.fingerprint) is None
    assert [*three.measured_entries()] == []
    assert seal(two.store).manifest == sealed.manifest


def test_damaged_local_file_is_downloaded_again(machine: Machines) -> None:
    sealed = machine("one").seal()
    two = machine("two")
    found = two.store.find(SLOT, sealed.manifest.fingerprint)
    assert found is not None
    directory = found.stored().directory
    content = (directory / "train/00000.parquet").read_bytes()
    (directory / "train/00000.parquet").write_bytes(b"x" * len(content))
    (directory / "other").touch()
    with pytest.raises(IntegrityError):
        found.verify()  # during a run, a change of the inputs is an error
    again = machine("two").store.find(SLOT, sealed.manifest.fingerprint)
    assert again is not None
    again.stored()
    again.verify()
    assert (directory / "train/00000.parquet").read_bytes() == content


def test_damage_found_by_a_download_is_found_by_every_look_up(s3: Bucket, machine: Machines) -> None:
    one = machine("one")
    sealed = one.seal()
    fingerprint = sealed.manifest.fingerprint
    key = change(s3, "/test/00000.parquet", b"x" * (sealed.directory / "test/00000.parquet").stat().st_size)
    found = machine("two").store.find(SLOT, fingerprint)
    assert found is not None, "its size is right"
    with pytest.raises(IntegrityError, match="test/00000.parquet has been changed") as raised:
        found.stored()
    assert "quarantines the artifact" in raised.value.remedy
    three = machine("three")
    url = f"{s3.url}/root/artifacts/{SLOT}/{fingerprint}"
    assert raised.value.headline.startswith(f"{url} is damaged: test/00000.parquet has been changed: its SHA-256 is ")
    with pytest.raises(IntegrityError, match=re.escape(f"{raised.value.headline}\n  expected: the files")):
        three.store.find(SLOT, fingerprint)
    quarantined = three.store.quarantine(SLOT, fingerprint)
    assert key.startswith(f"root/{three.store.remote.key(quarantined)}/")
    assert three.store.find(SLOT, fingerprint) is None
    again = three.seal()
    assert again.manifest == sealed.manifest
    found = machine("two").store.find(SLOT, fingerprint)
    assert found is not None
    found.stored()
    found.verify()
    assert {entry.kind for entry, _ in three.store.measured_entries()} == {"sealed", "quarantined"}


@pytest.mark.parametrize("content", [b"short", pytest.param(b"", marks=pytest.mark.thorough)])
def test_file_of_another_size_is_damage(s3: Bucket, machine: Machines, content: bytes) -> None:
    sealed = machine("one").seal()
    change(s3, "/test/00000.parquet", content)
    with pytest.raises(IntegrityError, match=f"test/00000.parquet has {len(content)} bytes"):
        machine("two").store.find(SLOT, sealed.manifest.fingerprint)


def test_damaged_sealing_object_is_replaced(s3: Bucket, machine: Machines) -> None:
    sealed = machine("one").seal()
    change(s3, ".json", b"{}")
    two = machine("two")
    with pytest.raises(IntegrityError, match="is not a sealing object"):
        two.store.find(SLOT, sealed.manifest.fingerprint)
    two.seal()
    found = machine("three").store.find(SLOT, sealed.manifest.fingerprint)
    assert found is not None
    assert found.manifest == sealed.manifest


def test_artifact_of_another_version_is_not_replaced(s3: Bucket, machine: Machines) -> None:
    machine("one").seal()
    (content,) = (data for key, data in s3.objects().items() if key.endswith(".json"))
    values = json.loads(content)
    newer = json.dumps(values | {"schema_version": 99, "more": 1}).encode()
    manifest = json.dumps(json.loads(values["manifest"]) | {"schema_version": 99})
    for changed in (newer, json.dumps(values | {"manifest": manifest, "write": "other"}).encode()):
        change(s3, ".json", changed)
        two = machine("two")
        with pytest.raises(SchemaVersionError):
            two.store.find(SLOT, fingerprint_inputs(FakeExampleGen(), {}).fingerprint)
        with pytest.raises(SchemaVersionError):
            two.seal()
        assert changed in s3.objects().values()


def test_verify_finds_damage_without_filling_the_cache(s3: Bucket, machine: Machines) -> None:
    sealed = machine("one").seal()
    two = machine("two")
    (found,) = two.store.sealed_artifacts()
    found.verify()
    assert two.local_files(found) == {"manifest.json"}
    change(s3, "/test/00000.parquet", b"x" * (sealed.directory / "test/00000.parquet").stat().st_size)
    with pytest.raises(IntegrityError, match="has been changed"):
        found.verify()
    assert two.local_files(found) == {"manifest.json"}


def test_deletion_is_undone_if_a_run_needs_the_artifact_by_then(s3: Bucket, machine: Machines) -> None:
    one, two = machine("one"), machine("two")
    sealed = one.seal()
    fingerprint = sealed.manifest.fingerprint
    found = two.store.find(SLOT, fingerprint)
    assert found is not None
    (entry,) = (entry for entry, _ in one.store.measured_entries())
    seen = []

    def is_needed() -> bool:
        seen.append(machine("three").store.find(SLOT, fingerprint))
        return len(seen) == 1

    assert not one.store.remove(entry, is_needed)
    assert seen == [None], "no other run finds it meanwhile"
    assert one.store.find(SLOT, fingerprint) == sealed
    assert one.store.remove(entry, is_needed)
    assert keys(s3, sealed) == [".json"], "the tombstone"
    with pytest.raises(ResourceError, match="was deleted or replaced"):
        found.stored()
    assert machine("two").store.find(SLOT, fingerprint) is None
    assert one.seal().manifest == sealed.manifest


def test_files_of_a_killed_upload_are_collected(s3: Bucket, machine: Machines) -> None:
    one = machine("one")
    fingerprint = fingerprint_inputs(FakeExampleGen(), {}).fingerprint
    open_objects(ObjectUrl.parse(f"{s3.url}/root")).upload(b"x", f"artifacts/{SLOT}/{fingerprint}/attempt/test.parquet")
    ((entry, measured),) = one.store.measured_entries()
    assert (entry.kind, measured.size) == ("partial", 1)
    sealed = one.seal()
    assert one.store.measure(entry) is not None
    assert one.store.remove(entry, lambda: False)
    assert keys(s3, sealed) == [".json", *FILES]


def test_files_in_use_exceed_the_cache(machine: Machines) -> None:
    fingerprint = machine("one").seal().manifest.fingerprint
    configure_storage(StorageSettings(max_cache_bytes=100))
    try:
        found = machine("two").store.find(SLOT, fingerprint)
        assert found is not None
        with pytest.raises(StorageError, match="no room for"):
            found.stored()
    finally:
        configure_storage(StorageSettings())


def test_files_that_no_run_uses_are_evicted(machine: Machines) -> None:
    one, other = machine("one").seal(), machine("one").seal(FakeExampleGen(FakeExampleGen.Config(seed=8)))
    size = sum(entry.size for entry in one.manifest.files)
    configure_storage(StorageSettings(max_cache_bytes=size * 3 // 2))
    try:
        two = machine("two")
        found = [two.store.find(SLOT, sealed.manifest.fingerprint) for sealed in (one, other)]
        assert found[0] is not None
        assert found[1] is not None
        found[0].stored()
        with pytest.raises(StorageError, match="are in use"):
            found[1].stored()
        two.store.prepare([])  # the next run
        found[1].stored()
        assert two.local_files(found[0]) == {"manifest.json"}
    finally:
        configure_storage(StorageSettings())


def test_store_is_checked_before_any_work(s3: Bucket, machine: Machines, s3_proxy: FaultyProxy) -> None:
    one = machine("one")
    for _ in range(2):
        one.store.prepare([SLOT])
    one.store.remote.flush()
    assert s3.objects() == {}, "nothing is left"
    for _ in range(2):
        s3_proxy.plan(error("AccessDenied", method="PUT"))
        with pytest.raises(ConfigError, match="no permission to write"):
            one.store.prepare([SLOT])

"""The store and its manifests: artifacts are sealed once and verified on every read."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import Context, Stored
from components.artifacts import SPLITS
from components.base.errors import ConfigError, IntegrityError, JobError
from components.base.hashing import value_sha256
from components.testing import FakeExampleGen
from job.pipeline.slots import SLOTS
from job.store.fingerprint import FingerprintInputs, Producer, closest, fingerprint_inputs
from job.store.manifest import SCHEMA_VERSION, Manifest, SchemaVersionError
from job.store.sealed import SealedArtifact
from job.store.store import Store

SLOT = "example_gen"


def seal(store: Store, component: FakeExampleGen | None = None) -> SealedArtifact:
    component = component or FakeExampleGen()
    key = fingerprint_inputs(component, {})
    with store.staged(SLOT, key.fingerprint) as stage:
        return store.seal(stage, key, component.run(Context(output=stage.files)), print)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "root")
    store.prepare(SLOTS)
    return store


def test_sealed_artifact_is_found_by_its_fingerprint(store: Store) -> None:
    sealed = seal(store)
    assert sealed.directory == store.root / "artifacts" / SLOT / sealed.manifest.fingerprint
    assert store.find(SLOT, sealed.manifest.fingerprint) == sealed
    assert store.find(SLOT, "0" * 64) is None
    assert isinstance(sealed.stored(), Stored)
    assert not list((store.root / "artifacts" / SLOT).glob("*.partial"))


def test_manifest_reads_back_equal(store: Store) -> None:
    sealed = seal(store)
    content = (sealed.directory / "manifest.json").read_bytes()
    manifest = Manifest.from_bytes(content, where="here")
    assert manifest == sealed.manifest
    assert manifest.to_bytes() == content
    assert {file.path for file in manifest.files} == {f"{split}/00000.parquet" for split in SPLITS}


def test_version_changes_the_fingerprint_but_not_the_digest(store: Store) -> None:
    once = seal(store)

    class Renamed(FakeExampleGen):
        version = "2"

    again = seal(store, Renamed())
    assert once.manifest.fingerprint != again.manifest.fingerprint
    assert once.manifest.digest == again.manifest.digest


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_data(directory: Path) -> None:
    flip_byte(directory / "train/00000.parquet")


def lose_file(directory: Path) -> None:
    (directory / "test/00000.parquet").unlink()


def add_file(directory: Path) -> None:
    (directory / "extra").touch()


def link_out(directory: Path) -> None:
    shutil.move(directory / "test/00000.parquet", directory.parent / "00000.parquet")
    (directory / "test/00000.parquet").symlink_to("../../00000.parquet")


def link_folder_out(directory: Path) -> None:
    (directory.parent / "elsewhere").mkdir()
    (directory / "folder").symlink_to("../elsewhere")


def link_itself_out(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.symlink_to("elsewhere")


def link_manifest_out(directory: Path) -> None:
    (directory / "manifest.json").rename(directory.parent / "manifest.json")
    (directory / "manifest.json").symlink_to("../manifest.json")


def put_pipe(directory: Path) -> None:
    (directory / "train/00000.parquet").unlink()
    os.mkfifo(directory / "train/00000.parquet")


def put_pipe_for_manifest(directory: Path) -> None:
    (directory / "manifest.json").unlink()
    os.mkfifo(directory / "manifest.json")


def forge(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Change a manifest and correct its digests, as an attacker would."""

    def corrupt(directory: Path) -> None:
        path = directory / "manifest.json"
        values = json.loads(path.read_bytes())
        change(values)
        values["digest"] = value_sha256({"files": values["files"], "artifact": values["artifact"]})
        path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n")

    return corrupt


def lose_manifest(directory: Path) -> None:
    (directory / "manifest.json").unlink()


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def corrupt(directory: Path) -> None:
        path = directory / "manifest.json"
        values = json.loads(path.read_bytes())
        change(values)
        path.write_text(json.dumps(values, indent=2) + "\n")

    return corrupt


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (flip_data, "train/00000.parquet has been changed: its SHA-256 is"),
        (lose_file, "test/00000.parquet cannot be read: No such file"),
        (add_file, "extra is not in the manifest"),
        (link_out, "test/00000.parquet is a link"),
        (lose_manifest, "manifest.json cannot be read"),
        (link_folder_out, "folder is a link"),
        (link_itself_out, "is a link"),
        (link_manifest_out, "manifest.json is a link"),
        (put_pipe, "train/00000.parquet is not a regular file"),
        (put_pipe_for_manifest, "manifest.json is not a regular file"),
        (forge(lambda values: values["files"][0].update(path="../test/00000.parquet")), "files.0.path"),
        (forge(lambda values: values["files"][0].update(path="a/../../test/00000.parquet")), "files.0.path"),
        (forge(lambda values: values["files"][0].update(path="/etc/passwd")), "files.0.path"),
        (forge(lambda values: values["files"].pop(0)), "its artifact names test/00000.parquet, its files do not"),
        (forge(lambda values: values["artifact"]["splits"]["test"].update(file="../x")), "splits.test.file"),
        (forge(lambda values: values["files"][0].update(size=7)), "it states 7 bytes for test/00000.parquet"),
        (edit(lambda values: values.update(schema_version=1)), "has the schema version 1"),
        (
            edit(lambda values: values.update(schema_version=SCHEMA_VERSION + 1)),
            f"has the schema version {SCHEMA_VERSION + 1}",
        ),
        (edit(lambda values: values.update(surprise=1)), "is not a manifest: surprise"),
        (edit(lambda values: values["artifact"].update(seed=99)), "its content has the SHA-256"),
        (edit(lambda values: values["producer"].update(version="9")), "its fingerprint has the SHA-256"),
        (edit(lambda values: values["files"][0].update(path="../../secret")), "files.0.path"),
        (edit(lambda values: values["files"][0].update(path="/etc/passwd")), "files.0.path"),
        (lambda directory: (directory / "manifest.json").write_bytes(b"\xff{"), "not a manifest"),
        (lambda directory: (directory / "manifest.json").write_bytes(b""), "not a manifest"),
    ],
)
def test_every_change_is_detected(store: Store, corrupt: Callable[[Path], None], message: str) -> None:
    sealed = seal(store)
    corrupt(sealed.directory)
    with pytest.raises(IntegrityError) as caught:
        store.find(SLOT, sealed.manifest.fingerprint)
    assert message in caught.value.headline


def test_flipped_bytes_of_a_manifest_are_detected(store: Store) -> None:
    content = (seal(store).directory / "manifest.json").read_bytes()
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(IntegrityError):
            Manifest.from_bytes(bytes(changed), where="here")


def test_artifact_under_another_fingerprint_is_detected(store: Store) -> None:
    sealed = seal(store)
    moved = sealed.directory.rename(sealed.directory.with_name("0" * 64))
    with pytest.raises(IntegrityError, match="has the fingerprint"):
        store.read(SLOT, moved)


def test_artifact_of_another_version_stays_in_place(store: Store) -> None:
    sealed = seal(store)
    newer(sealed.directory)
    before = (sealed.directory / "manifest.json").read_bytes(), (sealed.directory / "manifest.json").stat().st_ino
    with pytest.raises(SchemaVersionError, match=f"has the schema version {SCHEMA_VERSION + 1}"):
        store.find(SLOT, sealed.manifest.fingerprint)
    with pytest.raises(SchemaVersionError), store.staged(SLOT, sealed.manifest.fingerprint):
        pytest.fail("it is produced, although it cannot be sealed")
    after = (sealed.directory / "manifest.json").read_bytes(), (sealed.directory / "manifest.json").stat().st_ino
    assert after == before
    assert [path.name for path in sealed.directory.parent.iterdir()] == [sealed.directory.name]


def test_artifact_of_another_version_is_not_replaced_when_sealed(store: Store) -> None:
    """Another version of the job may have sealed it in the meantime, on a file system without common locks."""
    component, key = FakeExampleGen(), fingerprint_inputs(FakeExampleGen(), {})
    with store.staged(SLOT, key.fingerprint) as stage:
        artifact = component.run(Context(output=stage.files))
        sealed = seal(store)
        newer(sealed.directory)
        stage.files.mkdir(parents=True)
        artifact = component.run(Context(output=stage.files))
        with pytest.raises(SchemaVersionError):
            store.seal(stage, key, artifact, print)
    assert not list(sealed.directory.parent.glob("*.quarantined-*"))


def newer(directory: Path) -> None:
    edit(lambda values: values.update(schema_version=SCHEMA_VERSION + 1, from_the_future=True))(directory)


def test_quarantine_deletes_checkpoints_of_later_steps(store: Store) -> None:
    sealed = seal(store)
    checkpoints = {slot: store.partial(slot, "0" * 64) / "checkpoints" / "epoch-0001" for slot in ("trainer", SLOT)}
    for path in checkpoints.values():
        path.mkdir(parents=True)
    store.quarantine(SLOT, sealed.manifest.fingerprint)
    assert not checkpoints["trainer"].exists(), "it may come from the damaged artifact"
    assert checkpoints[SLOT].exists()


def test_closest_artifact_is_of_the_same_class(store: Store) -> None:
    class Other(FakeExampleGen):
        version = "2"

    seal(store, FakeExampleGen(FakeExampleGen.Config(seed=1, per_class=30)))
    seal(store, Other())
    key = fingerprint_inputs(FakeExampleGen(), {})
    others = [sealed.manifest.fingerprint_inputs for sealed in store.newest_first(SLOT)]
    assert (other := closest(others, key)) is not None
    assert key.differences(other) == ["config per_class 30 → 40", "config seed 1 → 0"]
    key = fingerprint_inputs(Unknown(), {})
    assert (other := closest(others, key)) is not None
    assert key.differences(other) == ["another component, tests.job.store.test_store:Unknown"]


class Unknown(FakeExampleGen):
    """Has no artifact in the store."""


def test_equal_result_does_not_touch_the_sealed_artifact(store: Store) -> None:
    sealed = seal(store)
    before = (sealed.directory / "manifest.json").stat().st_ino
    assert seal(store).manifest == sealed.manifest
    assert (sealed.directory / "manifest.json").stat().st_ino == before


def test_sealing_quarantines_a_damaged_artifact(store: Store) -> None:
    sealed = seal(store)
    flip_data(sealed.directory)
    assert seal(store).manifest == sealed.manifest
    store.read(SLOT, sealed.directory).verify()
    assert len(list(sealed.directory.parent.glob("*.quarantined-1"))) == 1


def test_checkpoints_outlive_an_attempt_of_a_sealed_artifact(store: Store) -> None:
    sealed = seal(store)
    with store.staged(SLOT, sealed.manifest.fingerprint) as stage:  # as --no-cache does
        stage.checkpoints.mkdir()
        (stage.checkpoints / "epoch").touch()
    with store.staged(SLOT, sealed.manifest.fingerprint) as stage:
        assert (stage.checkpoints / "epoch").exists()


def test_different_result_is_quarantined(store: Store) -> None:
    sealed = seal(store)
    key = fingerprint_inputs(FakeExampleGen(), {})
    warnings: list[str] = []
    with store.staged(SLOT, key.fingerprint) as stage:
        other = FakeExampleGen(FakeExampleGen.Config(seed=9)).run(Context(output=stage.files))
        kept = store.seal(stage, key, other, warnings.append)
    assert kept == sealed, "another run may be reading it"
    sealed.verify()
    (quarantined,) = sealed.directory.parent.glob("*.quarantined-1")
    assert (quarantined / "train/00000.parquet").read_bytes() != (sealed.directory / "train/00000.parquet").read_bytes()
    assert "is not deterministic" in warnings[0]
    assert str(quarantined) in warnings[0]
    assert not list(sealed.directory.parent.glob("*.partial"))


def test_files_of_an_unfinished_run_are_deleted(store: Store) -> None:
    key = fingerprint_inputs(FakeExampleGen(), {})
    left = store.partial(SLOT, key.fingerprint) / "files"
    left.mkdir(parents=True)
    (left / "half.parquet").touch()  # as a killed process leaves it
    with store.staged(SLOT, key.fingerprint) as stage:
        assert not list(stage.files.iterdir())
        (stage.files / "another.parquet").touch()
    assert not left.parent.exists()
    assert seal(store).manifest.files


def test_checkpoints_outlive_an_attempt_but_not_the_sealing(store: Store) -> None:
    component = FakeExampleGen()
    key = fingerprint_inputs(component, {})
    with store.staged(SLOT, key.fingerprint) as stage:
        stage.checkpoints.mkdir()
        (stage.checkpoints / "epoch").touch()
        (stage.files / "half.parquet").touch()
    with store.staged(SLOT, key.fingerprint) as stage:
        assert [path.name for path in stage.checkpoints.iterdir()] == ["epoch"]
        assert not list(stage.files.iterdir())
        store.seal(stage, key, component.run(Context(output=stage.files)), print)
    assert not store.partial(SLOT, key.fingerprint).exists()


def test_missing_file_of_an_artifact_is_an_error(store: Store) -> None:
    component = FakeExampleGen()
    key = fingerprint_inputs(component, {})
    with store.staged(SLOT, key.fingerprint) as stage:
        artifact = component.run(Context(output=stage.files))
        (stage.files / "test/00000.parquet").unlink()
        with pytest.raises(JobError, match=r"names the file test/00000\.parquet, but did not write it"):
            store.seal(stage, key, artifact, print)
        (stage.files / "test/00000.parquet").symlink_to("../train/00000.parquet")
        with pytest.raises(JobError, match="neither a regular file nor a folder"):
            store.seal(stage, key, artifact, print)


def test_unwritable_root_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write to the root"):
        Store(tmp_path / "file").prepare(SLOTS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_without_permission_is_reported(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir(mode=0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match="cannot write to the root .*: Permission denied"):
            Store(tmp_path / "root").prepare(SLOTS)
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("changes", "producer", "message"),
    [
        ({}, {"config": {"epochs": 5}}, "config epochs 3 → 5"),
        ({}, {"config": {"epochs": 3, "new": True}}, "config new none → True"),
        ({}, {"config": {"epochs": 9, "use": "my_net:build"}}, "config use none → my_net:build"),
        ({"inputs": {"examples": "1" * 64}}, {}, "new examples"),
        ({"libraries": {"numpy": "2.1"}}, {}, "library numpy 2.0 → 2.1"),
        ({}, {"source_sha256": "2" * 64}, "its source code changed"),
        ({}, {"version": "2", "source_sha256": "2" * 64}, "version 1 → 2"),
        ({"libraries": {}}, {"component": "mine:Trainer"}, "another component, mine:Trainer"),
    ],
)
def test_differences_name_what_changed(changes: dict[str, Any], producer: dict[str, Any], message: str) -> None:
    before = FingerprintInputs(
        producer=Producer(component="theirs:Trainer", version="1", source_sha256="0" * 64, config={"epochs": 3}),
        inputs={"examples": "0" * 64},
        libraries={"numpy": "2.0"},
    )
    after = before.model_copy(update={"producer": before.producer.model_copy(update=producer), **changes})
    assert after.differences(before) == [message]


SHAPES = {7: "ad399912b595dca4596dcb1f3e80e8a5d8ccf0944b4a9b53a558c66d31b4eced"}
"""Of the manifests of each schema version: the SHA-256 of their JSON Schema without the words.

A new kind of artifact needs no other version: a job that does not know it reads it as that of a custom step.
"""


def test_another_manifest_shape_needs_a_schema_version() -> None:
    """An artifact of another version of the job must not be reported as damaged."""
    shape = value_sha256(without_words(Manifest.model_json_schema()))
    assert shape == SHAPES[SCHEMA_VERSION], "raise schema_version by one, and add the new shape here"


def without_words(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_words(value)
        for key, value in schema.items()
        if not (key in ("title", "description") and isinstance(value, str))
    }

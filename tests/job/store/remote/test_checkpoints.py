"""Checkpoints of a remote root: another machine continues from the newest that is complete."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.base.errors import ResourceError
from components.object_storage import ObjectUrl
from components.object_storage.obstore_objects import ObstoreObjects
from components.object_storage.settings import StorageSettings
from job.store.remote.root import RemoteRoot
from job.store.remote.store import RemoteStore
from job.store.staging import Staging
from tests.support.faulty_proxy import Fault, FaultyProxy, error
from tests.support.object_servers import Bucket
from tests.support.progress import RecordingProgress

SLOT, FINGERPRINT = "trainer", "0" * 64
FOLDER = f"artifacts/{SLOT}/{FINGERPRINT}.partial/"


class StopError(Exception):
    """Ends an attempt as SIGTERM does."""


def never(_: float) -> bool:
    return False


@dataclass
class Machine:
    """A machine with its own cache that uses a bucket."""

    bucket: Bucket
    cache: Path
    monkeypatch: pytest.MonkeyPatch
    recorder: RecordingProgress = field(default_factory=RecordingProgress)

    @contextmanager
    def attempt(self) -> Iterator[Staging]:
        """An attempt to produce the artifact."""
        self.monkeypatch.setenv("JOB_CACHE", str(self.cache))
        store = RemoteStore(RemoteRoot.connect(ObjectUrl.parse(f"{self.bucket.url}/root")))
        with store.staged(SLOT, FINGERPRINT, self.recorder) as staging:
            yield staging

    def save(self, *names: str, ends: bool = True) -> None:
        """Save checkpoints with these names; end as after SIGTERM, or as after SIGKILL, before any upload."""
        with pytest.raises(StopError), self.attempt() as staging:
            for name in names:
                write(staging, name)
                if ends:
                    staging.checkpoint_saved()
            if ends:
                staging.flush_checkpoints(never)
            raise StopError

    def found(self) -> list[str]:
        """Begin an attempt, and return the names of the checkpoints that it finds."""
        with self.attempt() as staging:
            return names(staging)


def write(staging: Staging, name: str) -> None:
    """Write a checkpoint as the Trainer does, and keep two."""
    folder = staging.checkpoints / name
    folder.mkdir(parents=True)
    (folder / "state.npz").write_bytes(name.encode() * 1000)
    (folder / "checkpoint.json").write_text(json.dumps({"name": name}))
    for old in sorted(staging.checkpoints.iterdir())[:-2]:
        for file in old.iterdir():
            file.unlink()
        old.rmdir()


def names(staging: Staging) -> list[str]:
    """Return the names of the intact checkpoints."""
    if not staging.checkpoints.is_dir():
        return []
    folders = sorted(staging.checkpoints.iterdir())
    for folder in folders:
        assert (folder / "state.npz").read_bytes() == folder.name.encode() * 1000
        assert json.loads((folder / "checkpoint.json").read_text()) == {"name": folder.name}
    return [folder.name for folder in folders]


@pytest.fixture
def first(s3: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(s3, tmp_path / "first", monkeypatch)


@pytest.fixture
def second(s3: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(s3, tmp_path / "second", monkeypatch)


def keys(machine: Machine, suffix: str = "") -> list[str]:
    """Return the keys of the objects of checkpoints."""
    prefix = f"root/{FOLDER}"
    found = machine.bucket.objects()
    return [key.removeprefix(prefix) for key in found if key.startswith(prefix) and key.endswith(suffix)]


def test_another_machine_continues_from_the_newest(first: Machine, second: Machine) -> None:
    assert first.found() == []
    first.save("epoch-1", "epoch-2", "epoch-3")
    assert second.found() == ["epoch-2", "epoch-3"]
    assert second.recorder.messages[0].startswith("downloaded the last checkpoint (14.")
    assert not first.recorder.warnings + second.recorder.warnings


def test_machine_that_comes_back_finds_the_progress_of_another(first: Machine, second: Machine) -> None:
    first.save("epoch-1")
    second.save("epoch-2")
    assert first.found() == ["epoch-1", "epoch-2"]


def test_own_checkpoints_are_used_if_no_machine_has_newer_ones(first: Machine, second: Machine) -> None:
    first.save("epoch-1")
    first.save("epoch-2", ends=False)
    first.save("epoch-3", ends=False)
    assert first.found() == ["epoch-2", "epoch-3"]
    assert not first.recorder.messages, "nothing was downloaded"
    with first.attempt() as staging:  # uploads what the killed attempts did not
        staging.flush_checkpoints(never)
    assert second.found() == ["epoch-2", "epoch-3"]


def test_old_objects_are_deleted_and_equal_files_uploaded_once(first: Machine, second: Machine) -> None:
    for number in range(5):
        (first, second)[number % 2].save(f"epoch-{number}")
    assert len(keys(first, ".json")) == 2, "the last record, and the one before"
    assert len(keys(first)) == 2 + 2 * 3, "with three checkpoints of two files"


def test_incomplete_and_damaged_records_are_skipped(first: Machine, second: Machine, s3: Bucket) -> None:
    first.save("epoch-1")
    first.save("epoch-2")
    newest = max(keys(first, ".json"))
    record = json.loads(s3.objects()[f"root/{FOLDER}{newest}"])
    state = next(file for file in record["files"] if file["path"] == "epoch-2/state.npz")
    objects = RemoteRoot.connect(ObjectUrl.parse(f"{s3.url}/root")).objects
    objects.upload(b"x" * state["size"], f"{FOLDER}{state['attempt']}/{state['sha256']}")
    assert second.found() == ["epoch-1"], "other content"
    objects.upload(b"", f"{FOLDER}{state['attempt']}/{state['sha256']}")
    objects.upload(b"{}", f"{FOLDER}000009-{'0' * 16}.json")
    second.recorder.warnings.clear()
    third = Machine(s3, second.cache.with_name("third"), second.monkeypatch)
    assert third.found() == ["epoch-1"]
    assert [text.split("; ")[-1] for text in third.recorder.warnings] == ["this checkpoint is not used"] * 2


def test_checkpoints_are_deleted_with_their_reason(first: Machine, second: Machine) -> None:
    first.save("epoch-1")
    with second.attempt() as staging:
        write(staging, "epoch-2")
        staging.checkpoint_saved()
        staging.discard_checkpoints()
        assert not staging.checkpoints.exists()
    assert keys(first) == []
    assert first.found() == [], "another machine has deleted them"


def test_saving_never_waits_and_the_newest_wins(first: Machine, second: Machine, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(Fault("slow", method="PUT", match=r"\.partial/[0-9a-f]{16}/", seconds=0.5, count=1))
    with pytest.raises(StopError), first.attempt() as staging:
        began = time.monotonic()
        for number in range(9):
            write(staging, f"epoch-{number}")
            staging.checkpoint_saved()
        assert time.monotonic() - began < 0.4, "the first upload is not done"
        staging.flush_checkpoints(never)
        raise StopError
    assert s3_proxy.count("PUT", r"\.json") <= 3
    assert second.found() == ["epoch-7", "epoch-8"]


def test_failed_uploads_are_warnings_and_are_tried_again(
    first: Machine, second: Machine, s3_proxy: FaultyProxy
) -> None:
    s3_proxy.plan(error("AccessDenied", method="PUT", count=2))
    with pytest.raises(StopError), first.attempt() as staging:
        for number in range(3):
            write(staging, f"epoch-{number}")
            staging.checkpoint_saved()
            while number < 2 and s3_proxy.count("PUT") <= number:
                time.sleep(0.01)
        staging.flush_checkpoints(never)
        raise StopError
    assert second.found() == ["epoch-1", "epoch-2"]
    assert len(first.recorder.warnings) == 1
    assert "no permission to write" in first.recorder.warnings[0]


def test_last_upload_that_fails_is_a_warning(first: Machine, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(error("AccessDenied", method="PUT"))
    first.save("epoch-1")
    assert first.recorder.warnings[-1].startswith("other machines cannot continue from the last checkpoint: no perm")
    s3_proxy.plan(Fault("hang", method="PUT", seconds=5))
    with pytest.raises(StopError), first.attempt() as staging:
        staging.flush_checkpoints(lambda seconds: seconds == 20.0)
        raise StopError
    assert first.recorder.warnings[-1].endswith("the upload did not end in time")


def test_unreachable_store_does_not_hide_checkpoints(second: Machine, first: Machine, s3_proxy: FaultyProxy) -> None:
    first.save("epoch-1")
    root = RemoteRoot(
        ObstoreObjects(ObjectUrl.parse(f"{first.bucket.url}/root"), StorageSettings(retries=0)), second.cache
    )
    s3_proxy.plan(error("TooManyRequests", method="GET", match=r"\.partial/[0-9a-f]{16}/"))
    second.monkeypatch.setattr(RemoteRoot, "connect", lambda _: root)
    with pytest.raises(ResourceError):
        second.found()


def test_zombie_that_continues_harms_no_other_machine(first: Machine, second: Machine, s3: Bucket) -> None:
    first.save("epoch-1")
    with first.attempt() as zombie, second.attempt() as other:
        write(other, "epoch-2")
        other.checkpoint_saved()
        other.flush_checkpoints(never)
        write(zombie, "epoch-2")  # and deletes what it found at its beginning
        zombie.checkpoint_saved()
        zombie.flush_checkpoints(never)
        third = Machine(s3, second.cache.with_name("third"), second.monkeypatch)
        assert third.found() == ["epoch-1", "epoch-2"]
        zombie.discard_checkpoints()  # it sealed the artifact, or found it sealed
        other.discard_checkpoints()
    assert keys(first) == []
    assert not second.recorder.warnings


@pytest.mark.thorough
def test_another_machine_continues_with_azure(azurite: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = (Machine(azurite, tmp_path / name, monkeypatch) for name in ("first", "second"))
    first.save("epoch-1", "epoch-2", "epoch-3")
    assert second.found() == ["epoch-2", "epoch-3"]
    second.save("epoch-4")
    assert len(keys(first, ".json")) == 2

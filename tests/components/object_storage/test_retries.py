"""Transient errors are retried with back-off, within the limits of the settings; nothing happens twice."""

import hashlib
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from components.base.errors import IntegrityError, ResourceError
from components.object_storage import Objects, ObjectUrl
from components.object_storage.obstore_objects import ObstoreObjects
from components.object_storage.settings import StorageSettings
from tests.support.faulty_proxy import Fault, FaultyProxy, Kind, error
from tests.support.object_servers import Bucket

IMPATIENT = StorageSettings(timeout=4.0, retries=3)
"""A request without a response is repeated after a second."""


@pytest.fixture
def objects(s3: Bucket, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> Objects:  # noqa: ARG001
    """Return the objects of a bucket behind the proxy, with an object `key`; back-off is short."""
    delays = {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=20), "base": 2}
    monkeypatch.setattr("components.object_storage.connect.BACKOFF", delays)
    monkeypatch.setattr("components.object_storage.retry.FIRST_DELAY_SECONDS", 0.01)
    found = ObstoreObjects(ObjectUrl.parse(f"{s3.url}/prefix"), IMPATIENT)
    found.upload(b"1", "key")
    return found


OPERATIONS: dict[str, Callable[[Objects], object]] = {
    "read": lambda objects: objects.read("key"),
    "info": lambda objects: objects.info("key"),
    "list": lambda objects: objects.list(),
    "list folder": lambda objects: objects.list_folder(),
    "create": lambda objects: objects.create("created", b"mine"),
    "replace": lambda objects: objects.replace("key", b"mine", "c4ca4238a0b923820dcc509a6f75849b"),
    "upload": lambda objects: objects.upload(b"2", "uploaded"),
    "copy": lambda objects: objects.copy("key", "copied"),
    "delete": lambda objects: objects.delete(["key"]),
}


@pytest.mark.thorough
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(error("InternalError", count=2), id="500"),
        pytest.param(error("TooManyRequests", count=2), id="429"),
        pytest.param(error("RequestTimeout", count=1), id="400 RequestTimeout"),
        pytest.param(Fault("reset", count=2), id="reset"),
        pytest.param(Fault("reset_after", count=1), id="lost response"),
        pytest.param(Fault("hang", count=1, seconds=3), id="hang"),
    ],
)
def test_transient_faults_are_retried(objects: Objects, s3_proxy: FaultyProxy, operation: str, fault: Fault) -> None:
    s3_proxy.plan(fault)
    result = OPERATIONS[operation](objects)
    assert result not in (False, [])
    if operation in ("read", "info", "replace"):
        assert result is not None
    s3_proxy.plan()
    expected = {"create": ["created", "key"], "upload": ["key", "uploaded"], "copy": ["copied", "key"], "delete": []}
    assert [info.key for info in objects.list()] == expected.get(operation, ["key"])


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
def test_a_create_without_a_response_is_read_back(objects: Objects, s3_proxy: FaultyProxy, kind: Kind) -> None:
    s3_proxy.plan(Fault(kind, method="PUT", count=1))
    assert objects.create("created", b"mine")
    assert s3_proxy.count("PUT") == (2 if kind == "reset" else 1)


def test_a_conflict_is_retried(objects: Objects, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(error("ConditionalRequestConflict", method="PUT", count=1))
    assert objects.create("created", b"mine")
    s3_proxy.plan(error("ConditionalRequestConflict", method="PUT", count=1))
    assert objects.replace("created", b"other", "not the tag") is None


def test_a_create_whose_response_is_lost_may_lose(objects: Objects, s3_proxy: FaultyProxy) -> None:
    def create_other(_: str) -> None:
        s3_proxy.plan()
        objects.upload(b"theirs", "created")

    s3_proxy.plan(Fault("reset", method="PUT", count=1, call=create_other))
    assert not objects.create("created", b"mine")


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_retries_end_with_exit_code_5(objects: Objects, s3_proxy: FaultyProxy, code: str) -> None:
    s3_proxy.plan(error(code))
    with pytest.raises(ResourceError, match="cannot write s3://.*/prefix/created"):
        objects.create("created", b"mine")
    assert s3_proxy.count("PUT") == IMPATIENT.retries + 1


@pytest.mark.thorough
def test_a_store_that_never_responds_ends_with_exit_code_5(objects: Objects, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(Fault("hang", seconds=60))
    with pytest.raises(ResourceError, match="no response from 127.0.0.1:.* in time"):
        objects.read("key")


def test_a_signal_interrupts_the_wait_for_a_store(objects: Objects, s3_proxy: FaultyProxy) -> None:
    def interrupt(*_: object) -> None:
        raise InterruptedError

    previous = signal.signal(signal.SIGUSR1, interrupt)
    s3_proxy.plan(Fault("hang", count=1, seconds=3, call=lambda _: os.kill(os.getpid(), signal.SIGUSR1)))
    try:
        with pytest.raises(InterruptedError):
            objects.read("key")
        assert s3_proxy.requests == []  # neither this one, nor another attempt, has ended
    finally:
        signal.signal(signal.SIGUSR1, previous)


@pytest.mark.parametrize(("count", "size"), [(1, 4_000_000), pytest.param(7, 24_000_000, marks=pytest.mark.thorough)])
def test_a_truncated_download_continues_where_it_broke(
    objects: Objects, s3_proxy: FaultyProxy, tmp_path: Path, count: int, size: int
) -> None:
    content = os.urandom(size)
    objects.upload(content, "big")
    s3_proxy.plan(Fault("truncate", method="GET", count=count))
    seen: list[int] = []
    digest = hashlib.sha256(content).hexdigest()
    objects.download("big", tmp_path / "big", sha256=digest, on_bytes=seen.append)
    assert (tmp_path / "big").read_bytes() == content
    assert sum(seen) == len(content)
    if count > 1:  # a reset discards what is in the buffers of a connection, which may be all of a smaller one
        assert s3_proxy.requests[-1].received < size
    assert [file.name for file in tmp_path.iterdir() if file.name != "cache"] == ["big"]


@pytest.mark.thorough
def test_an_object_that_changes_during_its_download(objects: Objects, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    new = os.urandom(6_000_000)
    objects.upload(os.urandom(8_000_000), "big")
    seen: list[int] = []

    def change(_: str) -> None:
        s3_proxy.plan()
        objects.upload(new, "big")

    s3_proxy.plan(Fault("truncate", method="GET", count=1), Fault("slow", method="GET", count=1, call=change))
    objects.download("big", tmp_path / "big", on_bytes=seen.append)
    assert (tmp_path / "big").read_bytes() == new
    assert sum(seen) == len(new)


def test_an_upload_begins_again_after_a_reset(objects: Objects, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    content = os.urandom(12_000_000)
    (tmp_path / "big").write_bytes(content)
    seen: list[int] = []
    kinds: tuple[Kind, ...] = ("reset", "reset_after")
    s3_proxy.plan(*(Fault(kind, match="big", skip=skip, count=1) for skip, kind in enumerate(kinds, start=1)))
    objects.upload(tmp_path / "big", "big", on_bytes=seen.append)
    objects.download("big", tmp_path / "copy", sha256=hashlib.sha256(content).hexdigest())
    assert sum(seen) == len(content)


@pytest.mark.thorough
@pytest.mark.parametrize("content", [b"small", pytest.param(bytes(40_000_000), marks=pytest.mark.thorough)])
def test_an_upload_without_a_response_is_sent_twice(
    s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, content: bytes
) -> None:
    objects = ObstoreObjects(ObjectUrl.parse(f"{s3.url}/prefix"), StorageSettings(timeout=1.0, retries=8))
    objects.upload(b"1", "key")
    (tmp_path / "file").write_bytes(content)
    begun: list[str] = []
    s3_proxy.plan(Fault("hang", method="PUT", seconds=60, call=begun.append))
    with pytest.raises(ResourceError, match="in time"):
        objects.upload(tmp_path / "file", "uploaded")
    assert all(1 <= begun.count(part) <= 3 for part in begun), begun


@pytest.mark.thorough
def test_a_slow_upload_that_progresses_does_not_fail(s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    objects = ObstoreObjects(ObjectUrl.parse(f"{s3.url}/prefix"), StorageSettings(timeout=3.0, retries=3))
    (tmp_path / "file").write_bytes(bytes(60_000_000))
    s3_proxy.plan(Fault("slow", match="PUT .*partNumber", seconds=1.5))
    objects.upload(tmp_path / "file", "uploaded")
    info = objects.info("uploaded")
    assert info is not None
    assert info.size == 60_000_000


@pytest.mark.thorough
def test_an_upload_begins_again_without_a_response(objects: Objects, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    s3_proxy.plan(Fault("hang", method="PUT", seconds=6, count=1))
    objects.upload(tmp_path / "file", "uploaded")
    assert s3_proxy.count("PUT") == 1, "the first is still without a response"
    found = objects.read("uploaded")
    assert found is not None
    assert found.data == b"content"


def test_a_wrong_digest_is_downloaded_twice(objects: Objects, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    s3_proxy.plan()
    with pytest.raises(IntegrityError, match="has been changed"):
        objects.download("key", tmp_path / "file", sha256="0" * 64)
    assert s3_proxy.count("GET") == 2


def test_a_missing_local_file_is_no_error_of_the_store(objects: Objects, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        objects.upload(tmp_path / "missing", "key")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "fault",
    [
        error("ServerBusy", count=2),
        error("OperationTimedOut", count=2),
        error("TooManyRequests", count=2),
        Fault("reset", count=1),
        Fault("reset_after", count=1),
        Fault("truncate", method="GET", count=1),
    ],
    ids=lambda fault: fault.code if fault.kind == "status" else fault.kind,
)
def test_faults_of_azure_are_retried(
    azurite: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Fault
) -> None:
    with azurite.proxy(monkeypatch) as proxy:
        objects = ObstoreObjects(ObjectUrl.parse(f"{azurite.url}/prefix"), IMPATIENT)
        proxy.plan(fault)
        assert objects.create("key", b"1")
        found = objects.read("key")
        assert found is not None
        proxy.plan(fault)
        assert objects.replace("key", b"2", found.tag)
        objects.upload(content := os.urandom(6_000_000), "big")
        proxy.plan(fault)
        objects.download("big", tmp_path / "big", sha256=hashlib.sha256(content).hexdigest())
        proxy.plan(fault)
        assert [info.key for info in objects.list()] == ["big", "key"]
        proxy.plan(fault)
        objects.delete(["key", "big"])
        assert objects.list() == []

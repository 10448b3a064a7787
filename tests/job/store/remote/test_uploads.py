"""Uploads of small files in the background: in order, the newest content last, and no error is lost."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import cast

import pytest

from components.base.errors import ResourceError
from components.object_storage import Objects, ObjectUrl
from components.object_storage.deadline import requests_end_by
from job.store.remote.uploads import Uploads


class SlowObjects:
    """Objects whose uploads wait until `go` is set."""

    url = ObjectUrl("s3", "bucket")

    def __init__(self) -> None:
        self.go, self.begun, self.done = threading.Event(), threading.Event(), list[tuple[str, bytes]]()
        self.failure: Callable[[], Exception] | None = None

    def upload(self, source: bytes, key: str) -> None:
        self.begun.set()
        self.go.wait(20)
        if self.failure is not None:
            raise self.failure()
        self.done.append((key, source))

    def delete(self, keys: Iterable[str]) -> None:
        self.done += [(key, b"deleted") for key in keys]


@pytest.fixture
def objects() -> SlowObjects:
    return SlowObjects()


def uploads_to(objects: SlowObjects, seconds: float = 20.0) -> Uploads:
    return Uploads(cast("Objects", objects), seconds=seconds)


def test_newest_content_is_uploaded_last(objects: SlowObjects) -> None:
    uploads = uploads_to(objects)
    uploads.put("record", b"1")
    objects.begun.wait(20)
    uploads.put("record", b"2")
    uploads.put("record", b"3")
    assert uploads.pending("record")
    objects.go.set()
    uploads.flush()
    assert objects.done == [("record", b"1"), ("record", b"3")]
    assert not uploads.pending("record")


def test_pointer_is_uploaded_after_what_it_refers_to(objects: SlowObjects) -> None:
    uploads = uploads_to(objects)
    for number in range(6):
        uploads.put(f"{number}", b"")
    uploads.put("latest", b"", after_others=True)
    objects.go.set()
    uploads.flush()
    assert len(objects.done) == 7
    assert objects.done[-1] == ("latest", b"")


def test_first_error_is_raised_once(objects: SlowObjects) -> None:
    uploads = uploads_to(objects)
    objects.failure = lambda: ResourceError("unreachable")
    objects.go.set()
    uploads.put("record", b"1")
    with pytest.raises(ResourceError, match="unreachable"):
        uploads.flush()
    objects.failure = None
    uploads.put("record", b"2")
    uploads.flush()
    assert objects.done == [("record", b"2")]


def test_flush_does_not_wait_forever(objects: SlowObjects) -> None:
    uploads = uploads_to(objects, seconds=0.1)
    uploads.put("record", b"1")
    with pytest.raises(ResourceError, match="not uploaded to s3://bucket in time"):
        uploads.flush()
    objects.go.set()


def test_discarded_uploads_do_not_follow_a_deletion(objects: SlowObjects) -> None:
    uploads = uploads_to(objects)
    uploads.put("run/record", b"1")
    objects.begun.wait(20)
    uploads.put("run/record", b"2")
    uploads.put("other", b"")
    threading.Timer(0.1, objects.go.set).start()
    uploads.discard("run")
    assert ("run/record", b"1") in objects.done, "what has begun is complete"
    uploads.flush()
    assert ("run/record", b"2") not in objects.done


def test_uploads_that_wait_or_failed_are_missing(objects: SlowObjects) -> None:
    uploads = uploads_to(objects)
    uploads.put("record", b"1")
    assert uploads.is_missing("record")
    objects.failure = lambda: ResourceError("no connection")
    objects.go.set()
    with pytest.raises(ResourceError):
        uploads.flush()
    assert uploads.is_missing("record")
    objects.failure = None
    uploads.put("record", b"2")
    uploads.flush()
    assert not uploads.is_missing("record")


def test_a_flush_ends_when_all_requests_must_have_ended(objects: SlowObjects) -> None:
    uploads = uploads_to(objects, seconds=3600)
    uploads.put("record", b"1")
    end = time.monotonic() + 0.1
    with requests_end_by(lambda: end), pytest.raises(ResourceError, match="not uploaded"):
        uploads.flush()
    objects.go.set()

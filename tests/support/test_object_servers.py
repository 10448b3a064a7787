"""The object stores of the tests, and the proxy that fails in front of them."""

import subprocess
import sys
import threading
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, BaseError

from tests.support.faulty_proxy import RESPONSE_MARK, Fault, FaultyProxy, Kind, error
from tests.support.object_servers import ACCESS_KEY, Bucket


def connect(bucket: Bucket, *, retries: int = 0) -> "obstore.store.ObjectStore":
    return obstore.store.from_url(
        bucket.url, client_options={"allow_http": True, "timeout": "5s"}, retry_config={"max_retries": retries}
    )


def test_each_test_has_an_empty_bucket(bucket: Bucket) -> None:
    store = connect(bucket)
    assert obstore.list(store).collect() == []
    obstore.put(store, "key", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "key", b"2", mode="create")


def test_of_concurrent_creations_one_succeeds(s3: Bucket) -> None:
    store, created = connect(s3), []

    def create(writer: int) -> None:
        try:
            obstore.put(store, "key", b"%d" % writer, mode="create")
            created.append(writer)
        except AlreadyExistsError:
            pass

    threads = [threading.Thread(target=create, args=(writer,)) for writer in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"%d" % writer for writer in created] == [bytes(obstore.get(store, "key").bytes())]


@pytest.mark.parametrize(("kind", "stored"), [("status", False), ("reset", False), ("reset_after", True)])
def test_failed_write_is_stored_or_not(s3: Bucket, s3_proxy: FaultyProxy, kind: Kind, stored: bool) -> None:
    s3_proxy.plan(Fault(kind, method="PUT", match="key", count=1))
    with pytest.raises(BaseError) as failed:
        obstore.put(connect(s3), "key", b"1")
    assert (RESPONSE_MARK in str(failed.value)) == (kind == "status")
    assert bool(obstore.list(connect(s3)).collect()) == stored
    assert [request.fault for request in s3_proxy.requests] == [kind, ""]


def test_proxy_counts_requests_and_skips_some(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    called: list[str] = []
    s3_proxy.plan(Fault("reset", match="PUT .*key", skip=1, count=1, call=called.append), error("SlowDown", match="no"))
    for key in ("key-1", "key-2", "key-3"):
        obstore.put(connect(s3, retries=3), key, b"123")
    assert (s3_proxy.count("PUT"), s3_proxy.count("PUT", "key-2$"), s3_proxy.count("GET")) == (4, 2, 0)
    assert called == [f"/{s3.name}/key-2"]
    assert sum(request.sent for request in s3_proxy.requests) == 12


def test_truncated_and_slow_responses(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    store = connect(s3)
    obstore.put(store, "key", b"x" * 1000)
    s3_proxy.plan(Fault("truncate", method="GET", count=1), Fault("trickle", method="GET", rate=5000))
    with pytest.raises(BaseError):
        obstore.get(store, "key").bytes()
    assert len(obstore.get(store, "key").bytes()) == 1000
    assert [request.received for request in s3_proxy.requests] == [1000, 1000]


def test_store_that_ignores_conditions(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(Fault("unconditional"))
    for data in (b"1", b"2"):
        obstore.put(connect(s3), "key", data, mode="create")


def test_clock_of_a_proxy_moves_all_times(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = connect(s3)
    obstore.put(store, "key", b"1")
    (listed,), headed = obstore.list(store).collect(), obstore.head(store, "key")
    with s3.proxy(monkeypatch, clock=300) as proxy:
        store = connect(s3)
        moved = [*obstore.list(store).collect(), obstore.head(store, "key")]
        assert proxy.count() == 2
    for before, after in zip((listed, headed), moved, strict=True):
        assert (after["last_modified"] - before["last_modified"]).total_seconds() == 300


def test_a_proxy_has_a_program(s3: Bucket) -> None:
    command = [sys.executable, "-m", "tests.support.faulty_proxy", str(s3.server.port), "--latency", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.terminate()


def test_faults_of_some_requests_and_of_an_access_key(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(error("ExpiredToken", access_key="another"), error("SlowDown", skip=1, every=2, count=1))
    for key in "12345":
        obstore.put(connect(s3, retries=1), key, b"x")
    assert [request.fault for request in s3_proxy.requests] == ["", "", "status", "", "", ""]
    assert s3.objects() == dict.fromkeys("12345", b"x")
    s3_proxy.plan(error("ExpiredToken", access_key=ACCESS_KEY))
    with pytest.raises(BaseError, match="400"):
        obstore.head(connect(s3), "key")

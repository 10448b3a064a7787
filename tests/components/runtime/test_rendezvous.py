"""The rendezvous of workers: all receive the same content, or all end with an error that names the reason."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from components.base.cluster import Cluster
from components.base.errors import ConfigError, JobError, ResourceError, TerminationError
from components.base.hashing import value_sha256
from components.runtime import arrivals, rendezvous
from components.runtime.endpoints import endpoint
from components.runtime.messages import PROTOCOL
from components.runtime.rendezvous import Rendezvous
from tests.support.workers import cluster_of


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(arrivals, "GRACE_SECONDS", 0.1)


def meet(cluster: Cluster, *, content: bytes = b"", **options: Any) -> bytes | JobError:
    """Return what a worker receives, or its error."""
    values = {"work": "this training", "seconds": 20.0, "check": lambda: None, "report": lambda _: None, **options}
    try:
        return Rendezvous(cluster=cluster, **values).meet(content)
    except JobError as error:
        return error


def meet_all(calls: Sequence[Callable[[], bytes | JobError]]) -> list[bytes | JobError]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_all_workers_receive_the_content_of_the_first(size: int) -> None:
    content = b"\n{" * (size // 2)
    calls = [lambda each=each: meet(each, content=content if each.is_chief else b"other") for each in cluster_of(3)]
    assert meet_all(calls) == [content] * 3


def test_single_worker_does_not_wait() -> None:
    assert meet(cluster_of(1)[0], content=b"own") == b"own"


def test_different_work_is_an_error_on_all_workers() -> None:
    works = ["this training", "this training", "another one"]
    calls = [lambda each=each: meet(each, work=works[each.index]) for each in cluster_of(3)]
    for error in meet_all(calls):
        assert isinstance(error, ConfigError)
        assert error.headline == "the configuration, data or devices of worker 2 differ from those of worker 0"


def test_another_list_of_workers_is_different_work() -> None:
    one, other = cluster_of(2)
    longer = Cluster(workers=(*other.workers, "127.0.0.1:9"), index=1, source="the test")
    assert [type(error) for error in meet_all([lambda: meet(one), lambda: meet(longer)])] == [ConfigError] * 2


def test_missing_worker_is_named_on_all_others() -> None:
    chief, other, missing = cluster_of(3)
    # Worker 1 has a longer limit; that of worker 0 applies.
    for error in meet_all([lambda: meet(chief, seconds=0.5), lambda: meet(other)]):
        assert isinstance(error, ResourceError)
        assert error.headline == f"worker 2 ({missing.workers[2]}) did not connect within 0.5 s"


def test_missing_worker_0_is_named() -> None:
    cluster = cluster_of(2)[1]
    error = meet(cluster, seconds=0.1)
    assert isinstance(error, ResourceError)
    assert error.headline == f"worker 0 ({cluster.workers[0]}) did not connect within 0.1 s"


def test_used_port_is_a_resource_error() -> None:
    cluster = cluster_of(2)[1]
    with socket.create_server(("127.0.0.1", endpoint(cluster.workers[1])[1])):
        error = meet(cluster, seconds=0.1)
    assert isinstance(error, ResourceError)
    assert error.headline.startswith(f"worker 1 of 2 cannot listen on port {endpoint(cluster.workers[1])[1]}: ")


def test_foreign_and_lost_connections_are_ignored() -> None:
    chief, other = cluster_of(2)

    def join() -> bytes | JobError:
        for sent in (b"", b"GET / HTTP/1.1\r\n\r\n", b"[]\n", hello(chief)):
            with contextlib.closing(connect(endpoint(chief.workers[0]))) as connection:
                connection.sendall(sent)
        return meet(other)

    assert meet_all([lambda: meet(chief, content=b"own"), join]) == [b"own"] * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"worker": "x"},
        {"worker": 0},
        {"worker": 99},
        {"worker": True},
        {"worker": None},
        {"work": 1},
        {"bytes": 10**12},
        {"bytes": float("inf")},
        {"bytes": -1},
    ],
    ids=str,
)
def test_other_programs_are_disconnected(fields: dict[str, Any]) -> None:
    chief, other = cluster_of(2)
    calls = [lambda: meet(chief, content=b"own"), lambda: meet_after(other, sent=hello(chief, **fields))]
    assert meet_all(calls) == [b"own"] * 2


def test_nested_json_is_no_message() -> None:
    chief, other = cluster_of(2)
    nested = b"[" * 60_000 + b"\n"
    calls = [lambda: meet(chief, content=b"own"), lambda: meet_after(other, sent=nested)]
    assert meet_all(calls) == [b"own"] * 2


def test_first_message_has_a_limit_in_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "HELLO_SECONDS", 0.2)
    chief, other = cluster_of(2)

    def join() -> bytes | JobError:
        with contextlib.closing(connect(endpoint(chief.workers[0]))) as slow:
            slow.settimeout(0.01)
            for _ in range(500):
                with contextlib.suppress(TimeoutError):
                    try:
                        slow.sendall(b"x")
                        if not slow.recv(1):
                            return meet(other)
                    except ConnectionError:
                        return meet(other)
        return b"still connected"

    assert meet_all([lambda: meet(chief, content=b"own"), join]) == [b"own"] * 2


def test_worker_that_does_not_reply_connects_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "REPLY_SECONDS", 0.2)
    chief, other = cluster_of(2)
    calls = [lambda: meet(chief, content=b"own"), lambda: meet_after(other, sent=hello(chief))]
    assert meet_all(calls) == [b"own"] * 2


def test_worker_replaces_an_earlier_process_with_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "GRACE_SECONDS", 20.0)
    chief, other = cluster_of(2)

    def join() -> bytes | JobError:
        with contextlib.closing(connect(endpoint(chief.workers[0]))) as earlier:
            earlier.sendall(hello(chief, work="another"))
            return meet(other)

    assert meet_all([lambda: meet(chief, content=b"own"), join]) == [b"own"] * 2


def hello(chief: Cluster, **fields: Any) -> bytes:
    """Return the first message of worker 1, with other fields."""
    work = value_sha256(["this training", chief.workers])
    return json.dumps({"protocol": PROTOCOL, "bytes": 0, "worker": 1, "work": work, **fields}).encode() + b"\n"


def meet_after(cluster: Cluster, *, sent: bytes) -> bytes | JobError:
    """Send bytes to worker 0, reply nothing, and meet once it has closed the connection."""
    with contextlib.closing(connect(endpoint(cluster.workers[0]))) as connection:
        connection.settimeout(10)
        connection.sendall(sent)
        with contextlib.suppress(ConnectionError):
            while connection.recv(1024):
                pass
    return meet(cluster)


def connect(address: tuple[str, int]) -> socket.socket:
    """Connect as soon as a process listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_termination_ends_the_wait() -> None:
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise TerminationError("the job was interrupted")

    calls = [lambda each=each: meet(each, check=check) for each in cluster_of(3)[:2]]
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    assert [type(error) for error in meet_all(calls)] == [TerminationError] * 2


def test_missing_workers_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "REPORT_SECONDS", 0.1)
    chief, other, missing = cluster_of(3)
    reports: dict[int, list[str]] = {0: [], 1: []}
    meet_all([lambda: meet(chief, seconds=1.0, report=reports[0].append), lambda: meet(other, seconds=0.5)])
    assert f"worker 0 of 3 waits for worker 2 ({missing.workers[2]})" in reports[0]

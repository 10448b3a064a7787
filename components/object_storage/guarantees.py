"""Tests of the guarantees that the job requires of an object store, with objects that are deleted afterwards."""

import hashlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from components.base.errors import ConfigError, ExitCode, JobError
from components.base.formatting import format_size
from components.object_storage.access import PROBES, check_read_access
from components.object_storage.objects import Content, Objects
from components.object_storage.open import open_objects
from components.object_storage.threads import run_in_threads
from components.object_storage.url import ObjectUrl

WRITERS = 8
ROUNDS = 10
THROUGHPUT_BYTES = 16 * 1024**2
CLOCK_RESOLUTION_SECONDS = 2
"""Stores round times to seconds."""
MAX_CLOCK_DIFFERENCE_SECONDS = 600
"""S3 and Azure reject requests whose time differs by 15 minutes."""
READS = "a read returns what was written before"
REMEDY = "use another store, or a newer release of it: concurrent runs rely on this"


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """The result of one test."""

    name: str
    detail: str = ""
    """The measurement."""
    failure: str = ""
    """The problem; empty if the store passes."""
    expected: str = ""
    remedy: str = ""
    exit_code: ExitCode = ExitCode.SUCCEEDED
    """Of a run that fails because of it."""


class GuaranteeError(ConfigError):
    """The store lacks a guarantee."""


def check_guarantees(url: ObjectUrl) -> Iterator[Guarantee]:
    """Yield the result of each test; if access fails, no other test is made."""
    folder = f"{PROBES}/{secrets.token_hex(8)}"
    access = _result("access", lambda: _check_access(url, f"{folder}/access"))
    yield access
    if access.failure:
        return
    objects = open_objects(url)
    tests: dict[str, Callable[[], str]] = {
        "create once": lambda: _check_create(objects, f"{folder}/create"),
        "replace once": lambda: _check_swap(objects, f"{folder}/swap"),
        "lists": lambda: _check_list(objects, f"{folder}/list"),
        "reads": lambda: _check_read(objects, f"{folder}/read"),
        "clock": lambda: _check_clock(objects, f"{folder}/clock"),
        "throughput": lambda: _check_throughput(objects, f"{folder}/throughput"),
    }
    try:
        for name, test in tests.items():
            yield _result(name, test)
    finally:
        objects.delete([info.key for info in objects.list(f"{folder}/")])


def _result(name: str, test: Callable[[], str]) -> Guarantee:
    try:
        return Guarantee(name=name, detail=test())
    except JobError as error:
        return Guarantee(
            name=name, failure=error.headline, expected=error.expected, remedy=error.remedy, exit_code=error.exit_code
        )


def _require(holds: object, problem: str, expected: str) -> None:
    if not holds:
        raise GuaranteeError(problem, expected=expected, remedy=REMEDY)


def _check_access(url: ObjectUrl, key: str) -> str:
    objects = open_objects(url)
    check_read_access(objects)
    objects.upload(b"", key)
    objects.delete([key])
    return "lists, writes and deletes"


def _check_create(objects: Objects, key: str) -> str:
    problem = "the store creates an object twice: it ignores If-None-Match"
    expected = "of all writers that create a key, one succeeds"
    _require(objects.create(key, _unique()), "the store does not create an object", expected)
    _require(not objects.create(key, _unique()), problem, expected)
    created = _together(lambda: objects.create(f"{key}-together", _unique()))
    _require(created == 1, f"{created} of {WRITERS} writers create the same object", expected)
    return f"a second creation is rejected; of {WRITERS} at once, one succeeds"


def _check_swap(objects: Objects, key: str) -> str:
    expected = "an object is replaced only if it still has the expected tag"
    objects.upload(_unique(), key)
    first = _present(objects, key).tag
    _require(objects.replace(key, _unique(), first), "the store does not replace an object with its tag", expected)
    problem = "the store replaces an object with an old tag: it ignores If-Match"
    _require(objects.replace(key, _unique(), first) is None, problem, expected)
    present = _present(objects, key).tag
    replaced = _together(lambda: objects.replace(key, _unique(), present))
    _require(replaced == 1, f"{replaced} of {WRITERS} writers replace the same content", expected)
    return f"an old tag is rejected; of {WRITERS} at once, one succeeds"


def _check_list(objects: Objects, folder: str) -> str:
    expected = "a list has all that was written before, and nothing that was deleted before"
    for count in range(1, ROUNDS + 1):
        objects.upload(_unique(), f"{folder}/{count}")
        found = len(objects.list(f"{folder}/"))
        _require(found == count, f"a list has {found} of {count} objects that were written before", expected)
    objects.delete([f"{folder}/{count}" for count in range(1, ROUNDS + 1)])
    found = len(objects.list(f"{folder}/"))
    _require(not found, f"a list has {found} objects that were deleted before", expected)
    return f"{ROUNDS} of {ROUNDS} lists are up to date"


def _check_read(objects: Objects, key: str) -> str:
    durations = []
    for _ in range(ROUNDS):
        objects.upload(data := _unique(), key)
        began = time.perf_counter()
        found = objects.read(key)
        durations.append(time.perf_counter() - began)
        problem = "the store returns an object as it was before it was replaced"
        _require(found is not None and found.data == data, problem, READS)
    return f"{ROUNDS} of {ROUNDS} reads are up to date; {median(durations) * 1000:.0f} ms each"


def _check_clock(objects: Objects, key: str) -> str:
    began, timer = datetime.now(UTC), time.monotonic()
    objects.upload(_unique(), key)
    took = time.monotonic() - timer
    difference = (began - _present(objects, key).modified).total_seconds() + took / 2
    text = f"{abs(difference):.0f} s {'ahead of' if difference > 0 else 'behind'} that of the store"
    if abs(difference) > MAX_CLOCK_DIFFERENCE_SECONDS:
        raise GuaranteeError(
            f"the clock of this machine is {text}",
            expected=f"at most {MAX_CLOCK_DIFFERENCE_SECONDS} s: stores reject requests from 900 s",
            remedy="correct the clock",
        )
    return f"this machine is {text}" if abs(difference) >= CLOCK_RESOLUTION_SECONDS else "that of this machine agrees"


def _check_throughput(objects: Objects, key: str) -> str:
    data = secrets.token_bytes(THROUGHPUT_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        path.write_bytes(data)
        began = time.perf_counter()
        objects.upload(path, key)
        uploaded = time.perf_counter()
        objects.download(key, path, sha256=hashlib.sha256(data).hexdigest())
        downloaded = time.perf_counter()
    up, down = (int(THROUGHPUT_BYTES / seconds) for seconds in (uploaded - began, downloaded - uploaded))
    return f"{format_size(up)} per second up, {format_size(down)} down"


def _together(write: Callable[[], object]) -> int:
    """Return how many of several writers at once succeed."""
    results: list[object] = []
    run_in_threads([lambda: results.append(write())] * WRITERS, threads=WRITERS)
    return sum(map(bool, results))


def _present(objects: Objects, key: str) -> Content:
    """Return an object that was written before."""
    found = objects.read(key)
    if found is None:
        raise GuaranteeError("an object is missing after it was written", expected=READS, remedy=REMEDY)
    return found


def _unique() -> bytes:
    return secrets.token_bytes(16)

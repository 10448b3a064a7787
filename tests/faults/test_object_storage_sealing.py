"""Many machines that seal one artifact, machines that are killed while they do, and zombies.

Nothing incomplete is sealed, nothing sealed changes, and one artifact remains.
"""

import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from components.object_storage import ObjectUrl, open_objects
from job.store.remote import lease
from job.store.remote.sealing import Sealing
from tests.support import sealing
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.object_servers import Bucket
from tests.support.processes import wait_until
from tests.support.sealing import FILES, FINGERPRINT, SLOT, open_store, start


def objects_below(bucket: Bucket, root: str) -> dict[str, bytes]:
    """Return the content of each object of a root by its key."""
    objects = open_objects(ObjectUrl.parse(f"{bucket.url}/{root}"))
    contents = {info.key: objects.read(info.key) for info in objects.list()}
    return {key: content.data for key, content in contents.items() if content is not None}


def sealed_objects(bucket: Bucket, root: str) -> dict[str, bytes]:
    """Return the sealing object, if it exists, and the files of the attempt that it names."""
    objects, key = objects_below(bucket, root), f"artifacts/{SLOT}/{FINGERPRINT}"
    if (content := objects.get(f"{key}.json")) is None:
        return {}
    attempt = f"{key}/{Sealing.from_bytes(content, where=key).attempt}/"
    return {other: data for other, data in objects.items() if other == f"{key}.json" or other.startswith(attempt)}


def check_one_complete_artifact(bucket: Bucket, root: str, cache: Path, digest: str) -> dict[str, bytes]:
    """Check that a new machine finds one intact artifact with this digest; return its objects."""
    store = open_store(f"{bucket.url}/{root}", cache)
    found = store.find(SLOT, FINGERPRINT)
    assert found is not None
    assert found.manifest.digest == digest
    found.stored()
    found.verify()
    objects = sealed_objects(bucket, root)
    assert len(objects) == 1 + len(FILES)
    return objects


@pytest.fixture
def digest(s3: Bucket, tmp_path: Path) -> str:
    """Return the digest of the artifact, sealed without interference."""
    return sealing.seal(open_store(f"{s3.url}/undisturbed", tmp_path / "undisturbed")).manifest.digest


@pytest.mark.thorough
@pytest.mark.parametrize("leased", [True, False])
def test_one_of_six_machines_seals_an_artifact(s3: Bucket, tmp_path: Path, digest: str, leased: bool) -> None:
    caches = [tmp_path / f"machine-{number}" for number in range(6)]
    processes = [start(s3.server, f"{s3.url}/root", cache, leased=leased) for cache in caches]
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    results = Counter((cache / "result").read_text() for cache in caches)
    assert results == ({"ran": 1, "reused": 5} if leased else {digest: 6}), "and without a warning"
    check_one_complete_artifact(s3, "root", tmp_path / "new", digest)
    assert len(objects_below(s3, "root")) == 1 + len(FILES), "neither leases nor files of others"


@pytest.mark.thorough
def test_first_of_different_results_is_kept(s3: Bucket, tmp_path: Path) -> None:
    caches = [tmp_path / f"machine-{number}" for number in range(4)]
    processes = [
        start(s3.server, f"{s3.url}/root", cache, leased=False, seed=number) for number, cache in enumerate(caches)
    ]
    for process in processes:
        process.join(120)
    results = [(cache / "result").read_text().splitlines() for cache in caches]
    (digest,) = {result[0] for result in results}
    assert sorted(len(result) - 1 for result in results) == [0, 1, 1, 1], "a warning for each of the others"
    check_one_complete_artifact(s3, "root", tmp_path / "new", digest)
    kinds = Counter(entry.kind for entry, _ in open_store(f"{s3.url}/root", tmp_path / "new").measured_entries())
    assert kinds == {"sealed": 1, "quarantined": 3}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["reset", "reset_after"])
def test_kill_at_any_request_leaves_nothing_incomplete(
    s3: Bucket, tmp_path: Path, s3_proxy: FaultyProxy, digest: str, kind: str
) -> None:
    server, number, outcomes = replace(s3.server, port=s3_proxy.port), 0, Counter[bool]()
    while True:
        root, killed = f"root-{number}", list[int]()
        url, cache = f"{s3.url}/{root}", tmp_path / f"{number}"
        pids: list[int] = []

        def kill(_: str, pids: list[int] = pids, killed: list[int] = killed) -> None:
            wait_until(lambda: pids, lambda: "no process", seconds=10)
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

        s3_proxy.plan(Fault(kind, match=f"{FINGERPRINT}|delete$", skip=number, count=1, call=kill))  # type: ignore[arg-type]
        process = start(server, url, cache / "killed")
        assert process.pid is not None
        pids.append(process.pid)
        process.join(60)
        if not killed:
            assert process.exitcode == 0
            break
        assert process.exitcode == -signal.SIGKILL
        before = sealed_objects(s3, root)
        store = open_store(url, cache / "another")
        found = store.find(SLOT, FINGERPRINT)  # never damaged
        outcomes[found is not None] += 1
        assert sealing.seal(store).manifest.digest == digest
        after = check_one_complete_artifact(s3, root, cache / "new", digest)
        assert not found or after == before, "nothing sealed changes"
        for entry, _ in store.measured_entries():
            if entry.kind == "partial":
                assert store.remove(entry, lambda: False)
        assert {key for key in objects_below(s3, root) if not key.endswith(".lock")} == after.keys()
        number += 1
    assert number >= 12
    assert {*outcomes} == {False, True}, "some are killed before it is sealed, and some after"


@pytest.mark.thorough
def test_zombies_change_nothing_that_another_machine_sealed(
    s3: Bucket, tmp_path: Path, s3_proxy: FaultyProxy, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LIFE_SECONDS", 3.0)
    server, url = replace(s3.server, port=s3_proxy.port), f"{s3.url}/root"
    zombies = []
    # One stops before it creates the sealing object, one before it uploads its second file.
    for name, moment in (("uploading", "PUT .*/test/00000.parquet"), ("sealing", f"GET .*list-type.*{FINGERPRINT}.*")):
        pids: list[int] = []
        stopped: list[str] = []

        def stop(path: str, pids: list[int] = pids, stopped: list[str] = stopped) -> None:
            wait_until(lambda: pids, lambda: "no process", seconds=10)
            os.kill(pids[0], signal.SIGSTOP)
            stopped.append(path)

        s3_proxy.plan(Fault("slow", match=moment, skip=0 if name == "uploading" else 3, count=1, call=stop))
        process = start(server, url, tmp_path / name, life=3.0)
        assert process.pid is not None
        pids.append(process.pid)
        wait_until(lambda stopped=stopped: stopped, lambda name=name: f"not {name}", seconds=60)  # type: ignore[misc]
        zombies.append(process)
    assert sealed_objects(s3, "root") == {}
    assert sealing.produce(open_store(url, tmp_path / "another")) == "ran", "it takes the lease over"
    before = check_one_complete_artifact(s3, "root", tmp_path / "new", digest)
    for process in zombies:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGCONT)
    for process in zombies:
        process.join(60)
        assert process.exitcode == 0
    assert check_one_complete_artifact(s3, "root", tmp_path / "last", digest) == before
    assert objects_below(s3, "root") == before

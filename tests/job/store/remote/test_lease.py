"""Leases: one owner among all machines; one that is killed is replaced, and one that continues late changes nothing."""

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from components.base.errors import TerminationError
from components.object_storage import Objects, ObjectUrl, open_objects
from job.store.remote import lease
from job.store.remote.lease import Leases, Owner
from job.store.remote.root import RemoteRoot
from tests.support.cases import parametrize_sample
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.object_servers import Bucket, use_environment
from tests.support.processes import wait_until

KEY = "artifacts/trainer/x.lock"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)


@pytest.fixture
def objects(s3: Bucket) -> Objects:
    return open_objects(ObjectUrl.parse(f"{s3.url}/root"))


def leave(objects: Objects, machine: str) -> bytes:
    """Write the lease of a process that was killed."""
    content = Owner("run 1", machine).content()
    assert objects.create(KEY, content)
    return content


def test_lease_is_held_until_it_is_released(objects: Objects) -> None:
    one, two = Leases(objects, "one"), Leases(objects, "two")
    with one.acquire(KEY, name="run 1"):
        first = objects.read(KEY)
        assert two.is_held(KEY)
        with two.try_acquire(KEY) as free:
            assert not free
        wait_until(lambda: objects.read(KEY) != first, lambda: "no heartbeat", seconds=20)
    assert objects.read(KEY) is None
    assert not two.is_held(KEY)
    with two.try_acquire(KEY) as free:
        assert free


def test_second_machine_waits_for_the_owner(objects: Objects) -> None:
    stack, seen = ExitStack(), list[str]()
    stack.enter_context(Leases(objects, "one").acquire(KEY, name="run 1"))

    def on_wait(owner: str) -> None:
        seen.append(owner)
        threading.Timer(0.1, stack.close).start()

    with Leases(objects, "two").acquire(KEY, name="run 2", on_wait=on_wait):
        content = objects.read(KEY)
        assert Owner.of(content).name.startswith("run 2, process ")
    assert [owner.partition(",")[0] for owner in seen] == ["run 1"]


def test_signal_ends_the_wait(objects: Objects) -> None:
    leave(objects, "one")
    error = TerminationError("the job was interrupted")

    def check() -> None:
        raise error

    with pytest.raises(TerminationError), Leases(objects, "two").acquire(KEY, name="run 2", check=check):
        pass


def test_lease_of_a_killed_process_of_this_machine_is_free(objects: Objects, tmp_path: Path) -> None:
    root = RemoteRoot(objects, tmp_path / "roots" / "root")
    path = root.path / KEY
    with root.try_acquire(path) as free:
        assert free
        content = objects.read(KEY)
        assert root.is_held(path)
        with RemoteRoot(objects, root.path).try_acquire(path) as again:
            assert not again, "another process of this machine"
    leave(objects, Owner.of(content).machine)
    assert not root.is_held(path)
    with root.try_acquire(path) as free:
        assert free


@parametrize_sample(1, "clock", [0, 300, -300])
def test_old_lease_is_free_by_the_clock_of_the_store(
    objects: Objects, s3: Bucket, monkeypatch: pytest.MonkeyPatch, clock: int
) -> None:
    leave(objects, "one")
    with s3.proxy(monkeypatch, clock=clock) as proxy:
        two = Leases(open_objects(objects.url), "two")
        assert two.is_held(KEY), "it is new by the clock of the store"
        monkeypatch.setattr(lease, "LIFE_SECONDS", -2.0)
        assert not two.is_held(KEY)
        proxy.plan()
        with two.acquire(KEY, name="run 2"):
            pass
        assert proxy.count("HEAD") == 0, "the clock is read once"


def test_lease_that_does_not_change_is_taken_over(
    objects: Objects, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LIFE_SECONDS", 0.3)
    leave(objects, "one")
    s3_proxy.plan(Fault("reset", method="HEAD"))  # the clock of the store is unknown
    with Leases(open_objects(objects.url), "two").acquire(KEY, name="run 2"):
        assert Owner.of(objects.read(KEY)).machine == "two"


def test_lost_lease_is_left_to_its_new_owner(objects: Objects) -> None:
    with Leases(objects, "one").acquire(KEY, name="run 1") as held:
        found = objects.read(KEY)
        other = Owner("run 2", "two").content()
        while found is None or objects.replace(KEY, other, found.tag) is None:
            found = objects.read(KEY)
        wait_until(lambda: held.is_lost, lambda: "the loss is not noticed", seconds=20)
    content = objects.read(KEY)
    assert content is not None
    assert content.data == other


@pytest.mark.thorough
def test_owner_survives_a_short_outage(objects: Objects, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3.proxy(monkeypatch) as proxy:
        one = Leases(open_objects(objects.url), "one")
        with one.acquire(KEY, name="run 1") as held:
            proxy.plan(Fault("reset", count=12))
            wait_until(lambda: proxy.count() > 15, lambda: "no heartbeat", seconds=90)
            assert not held.is_lost
    use_environment(monkeypatch, replace(s3.server))
    assert objects.read(KEY) is None

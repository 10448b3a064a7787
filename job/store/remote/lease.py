"""Leases: locks between machines, as objects. A holder rewrites its lease; one that stops doing so is taken over.

A lease only avoids that two machines do the same work. Whether work counts is decided by creating the sealing object.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from components.base.errors import JobError
from components.object_storage import Content, Objects
from components.runtime.locks import UNKNOWN_OWNER
from job.store.remote.sealing import new_id

BEAT_SECONDS = 10.0
LIFE_SECONDS = 45.0
"""A lease that does not change for so long is taken over, by the monotonic clock of the machine that waits."""
POLL_SECONDS = 1.0
CHECK_SECONDS = 0.1


class Lease:
    """A lease that this process holds, and rewrites in a thread."""

    def __init__(self, objects: Objects, key: str, tag: str, owner: str) -> None:
        self._objects, self.key, self._tag, self._owner = objects, key, tag, owner
        self._stopped = threading.Event()
        self.is_lost = False
        self._thread = threading.Thread(target=self._beat, name=f"lease {key}", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            with suppress(JobError):  # the store cannot be reached: the next beat may succeed
                tag = self._objects.replace(self.key, content(self._owner), self._tag)
                if tag is None:
                    self.is_lost = True
                    return
                self._tag = tag

    def release(self) -> None:
        """Delete the lease, unless another machine has taken it."""
        self._stopped.set()
        self._thread.join()
        if self.is_lost:
            return
        with suppress(JobError):  # others take it over
            # Compare-and-swap first: a lease that was taken over meanwhile is not deleted.
            if self._objects.replace(self.key, content(self._owner), self._tag) is not None:
                self._objects.delete([self.key])


def content(owner: str) -> bytes:
    """Return the content of a lease, which is unique to each write."""
    return json.dumps({"owner": owner, "beat": new_id()}).encode()


def owner_of(found: Content | None) -> str:
    """Return the name of the owner in a lease."""
    try:
        return str(json.loads(found.data)["owner"]) if found is not None else UNKNOWN_OWNER
    except (ValueError, KeyError, TypeError):
        return UNKNOWN_OWNER


def try_lease(objects: Objects, key: str, owner: str) -> Lease | None:
    """Return the lease if it is free; None if another process holds it, alive or not."""
    if not objects.create(key, content(owner)):
        return None
    found = objects.read(key)
    return None if found is None else Lease(objects, key, found.tag, owner)


@contextmanager
def leased(
    objects: Objects,
    key: str,
    *,
    owner: str,
    on_wait: Callable[[str], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[Lease]:
    """Hold a lease while the block runs; wait for its holder, or until that stops rewriting it."""
    owner = f"{owner}, process {os.getpid()} on {socket.gethostname()}"
    lease, seen, since, waited = try_lease(objects, key, owner), "", time.monotonic(), False
    while lease is None:
        found = objects.read(key)
        if found is None:
            lease = try_lease(objects, key, owner)
        elif found.tag != seen:
            seen, since = found.tag, time.monotonic()
        elif time.monotonic() - since > LIFE_SECONDS:
            tag = objects.replace(key, content(owner), seen)
            lease = None if tag is None else Lease(objects, key, tag, owner)
        if lease is None:
            if on_wait is not None and not waited:
                on_wait(owner_of(found))
            waited = True
            end = time.monotonic() + POLL_SECONDS
            while time.monotonic() < end:
                if check is not None:
                    check()
                time.sleep(CHECK_SECONDS)
    try:
        yield lease
    finally:
        lease.release()

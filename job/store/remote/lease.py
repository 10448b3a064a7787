"""Leases: locks between machines, as objects. The owner rewrites its lease; if it stops, another takes the lease over.

A lease only avoids that two machines do the same work. The creation of the sealing object decides which result is used.
No decision compares the clock of a machine with that of the store: a lease is dead if it did not change for
`LIFE_SECONDS` by the monotonic clock of the machine that waits, or if its last change is that old by the store's clock.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from components.base.errors import JobError, ResourceError, first_line
from components.object_storage import Content, Objects
from components.object_storage.clock import StoreClock
from components.object_storage.deadline import seconds_left
from components.object_storage.parallel import call_all
from components.object_storage.settings import storage_settings
from components.runtime.locks import UNKNOWN_OWNER
from job.store.remote.sealing import new_id

HEARTBEAT_SECONDS = 10.0
LIFE_SECONDS = 60.0
"""A lease that does not change for this time is taken over; a request may take nearly as long."""
POLL_SECONDS = 1.0
CHECK_SECONDS = 0.1
RELEASE_SECONDS = 5.0
"""A release that takes longer continues in the background: if the process ends before, others take the lease over."""


@dataclass(frozen=True)
class Owner:
    """The owner of a lease."""

    name: str
    """As messages contain it."""
    machine: str
    """Of the cached root: two processes that use the same one exclude each other by locks of the kernel."""

    def content(self) -> bytes:
        """Return the content of a lease, which is unique to each write."""
        return json.dumps({"owner": self.name, "machine": self.machine, "beat": new_id()}).encode()

    @classmethod
    def of(cls, found: Content | None) -> "Owner":
        """Return the owner in a lease."""
        try:
            values = json.loads(found.data) if found is not None else {}
            return cls(str(values["owner"]), str(values["machine"]))
        except (ValueError, KeyError, TypeError):
            return cls(UNKNOWN_OWNER, "")


class Lease:
    """A lease that this process holds, and rewrites in a thread."""

    def __init__(self, leases: "Leases", key: str, content: bytes, owner: Owner, tag: str | None) -> None:
        self._objects, self._key, self._content, self._owner, self._tag = leases.objects, key, content, owner, tag
        self._stopped = threading.Event()
        self._written_at = time.monotonic()
        self.is_lost = False
        """Whether another machine took it over."""
        threading.Thread(target=self._beat, name=f"lease {key}", daemon=True).start()

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS) and not self.is_lost:
            with suppress(JobError):  # the store cannot be reached: the next heartbeat may succeed
                self._write()

    def _write(self) -> None:
        """Rewrite the lease, unless it is lost."""
        if self._tag is None:  # the response to a creation does not have the tag
            found = self._objects.read(self._key)
            self._tag = found.tag if found is not None and found.data == self._content else ""
        at, content = time.monotonic(), self._owner.content()
        tag = self._objects.replace(self._key, content, self._tag) if self._tag else None
        if tag is None:
            self.is_lost = True
        else:
            self._tag, self._written_at = tag, at

    def release(self) -> None:
        """Delete the lease, unless another machine has taken it over."""
        self._stopped.set()
        thread = threading.Thread(target=self._delete, name=f"release of {self._key}", daemon=True)
        thread.start()
        thread.join(min(RELEASE_SECONDS, storage_settings().timeout / 2, seconds_left()))

    def _delete(self) -> None:
        with suppress(JobError):  # others take it over
            if time.monotonic() - self._written_at > LIFE_SECONDS / 2:  # it may be taken over any moment
                self._write()
            if not self.is_lost:
                self._objects.delete([self._key])


class Leases:
    """The leases of one root."""

    def __init__(self, objects: Objects, machine: str) -> None:
        self.objects = objects
        self._machine = machine
        self._clock = StoreClock(objects)

    def owner(self, name: str) -> Owner:
        """Return this process as an owner."""
        return Owner(f"{name}, process {os.getpid()} on {socket.gethostname()}", self._machine)

    @contextmanager
    def acquire(
        self,
        key: str,
        *,
        name: str,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Iterator[Lease]:
        """Hold a lease while the block runs; wait for its owner, or until that stops rewriting it.

        The caller holds the lock of this machine for the same key.
        """
        owner, waited, abandoned = self.owner(name), False, threading.Event()
        seen, since = "", time.monotonic()

        def attempt() -> tuple[Lease | None, Content | None]:
            found = self.objects.read(key) if waited else None
            if found is not None and found.tag == seen and time.monotonic() - since > LIFE_SECONDS:
                lease = self._take_over(key, owner, found)
            elif found is not None and found.tag == seen:
                lease = None
            else:
                lease, found = self._try(key, owner)
            if lease is not None and abandoned.is_set():
                lease.release()
            return lease, found

        try:
            while True:
                lease, found = call_all([attempt], check)[0]
                if lease is not None:
                    break
                if found is not None and found.tag != seen:
                    seen, since = found.tag, time.monotonic()
                if on_wait is not None and not waited:
                    on_wait(Owner.of(found).name)
                waited = True
                end = time.monotonic() + POLL_SECONDS
                while time.monotonic() < end:
                    check()
                    time.sleep(CHECK_SECONDS)
        except BaseException:
            abandoned.set()
            raise
        try:
            yield lease
        finally:
            lease.release()

    @contextmanager
    def try_acquire(self, key: str, *, name: str = UNKNOWN_OWNER) -> Iterator[bool]:
        """Hold a lease while the block runs if no process holds it; yield whether that is so."""
        lease, _ = self._try(key, self.owner(name))
        try:
            yield lease is not None
        finally:
            if lease is not None:
                lease.release()

    def is_held(self, key: str) -> bool:
        """Return whether a process on another machine holds a lease; one on this machine would have its lock, too."""
        found = self.objects.read(key)
        return found is not None and not self._is_dead(found)

    def now(self) -> datetime:
        """Return the time of the store.

        Raises:
            ResourceError: if it cannot be read.
        """
        try:
            return self._clock.now()
        except OSError as error:
            raise ResourceError(
                f"the clock of the store of {self.objects.url} cannot be read: {first_line(error)}",
                expected="a store that responds",
                remedy="check the network and the endpoint, and run the same command again",
            ) from None

    def _try(self, key: str, owner: Owner) -> tuple[Lease | None, Content | None]:
        """Return the lease if it is free or dead; otherwise its content."""
        content = owner.content()
        if self.objects.create(key, content):
            return Lease(self, key, content, owner, None), None
        found = self.objects.read(key)
        if found is None or not self._is_dead(found):
            return None, found
        return self._take_over(key, owner, found), found

    def _take_over(self, key: str, owner: Owner, found: Content) -> Lease | None:
        content = owner.content()
        tag = self.objects.replace(key, content, found.tag)
        return None if tag is None else Lease(self, key, content, owner, tag)

    def _is_dead(self, found: Content) -> bool:
        if Owner.of(found).machine == self._machine:  # its process would hold the lock of the kernel
            return True
        with suppress(JobError):  # unknown: it counts as alive
            return (self.now() - found.modified).total_seconds() > LIFE_SECONDS
        return False

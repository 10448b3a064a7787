"""The parts of a remote store that gc lists, measures and deletes."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from job.store.measure import Measured
from job.store.remote.contents import Contents, measure_objects
from job.store.remote.sealing_objects import SealingObjects
from job.store.store import Entry, Store

if TYPE_CHECKING:
    from job.store.remote.root import RemoteRoot


class RemoteEntries:
    """The entries of the store of one remote root."""

    def __init__(self, remote: "RemoteRoot", sealings: SealingObjects) -> None:
        self._remote, self._objects, self._sealings = remote, remote.objects, sealings
        self._local = Store(remote.path)

    def partial(self) -> Iterator[Entry]:
        """Yield the artifacts in progress of all machines."""
        listed = Contents.parse(self._objects.list("artifacts/"))
        items = (item for item, content in listed.items() if content.partial)
        return (Entry(*item, "partial", self._local.partial(*item)) for item in items)

    def measured(self) -> Iterator[tuple[Entry, Measured]]:
        """Yield everything in the store, with size and age by the store, and the entries of this machine only."""
        known, listed_at, objects = self._remote.known(), time.monotonic(), self._objects.list("artifacts/")
        self._remote.update(objects, within=("artifacts/",), known=known, listed_at=listed_at)
        listed, now = Contents.parse(objects), self._remote.now()
        for (slot, fingerprint), content in listed.items():
            directory = self._local.directory(slot, fingerprint)
            sealing = self._sealings.local(self._remote.key(directory))
            for kind, path, infos in content.parts(directory, sealing):
                yield Entry(slot, fingerprint, kind, path), measure_objects(infos, now)
        for entry, measured in self._local.measured_entries():
            content = listed.get((entry.slot, entry.fingerprint), Contents())
            if entry.kind == "deleting" or (entry.kind == "partial" and not content.partial):
                yield entry, measured

    def measure(self, entry: Entry) -> Measured | None:
        """Return the present size and age of an entry, or None if its objects and local files are gone."""
        key = self._key(entry)
        content = Contents.parse(self._objects.list(key)).get((entry.slot, entry.fingerprint), Contents())
        sealing = self._sealings.apply(key)
        for kind, path, infos in content.parts(self._local.directory(entry.slot, entry.fingerprint), sealing):
            if (kind, path) == (entry.kind, entry.path):
                return measure_objects(infos, self._remote.now())
        return self._local.measure(entry) if entry.kind in ("deleting", "partial") else None

    def remove(self, entry: Entry, is_needed: Callable[[], bool]) -> bool:
        """Delete an entry, whose lease is held; return whether it was deleted.

        A reused artifact has no lease. So a tombstone replaces the sealing object first: runs do not find the artifact
        from then on. If a run found it before, it is sealed again. Its files are deleted last.
        """
        slot, fingerprint = entry.slot, entry.fingerprint
        key = self._key(entry)
        if entry.kind == "partial" and entry.path == self._local.partial(slot, fingerprint):
            self._remote.removed(entry.path)
            return self._local.remove(entry, is_needed) if entry.path.exists() else True
        if self._local.directory(slot, fingerprint) not in (entry.path, entry.path.parent):
            return self._local.remove(entry, is_needed)
        found, attempt = self._sealings.read(key), entry.path.name
        if entry.kind == "sealed":
            if found is None or not found.sealing.is_sealed:
                return False
            attempt = found.sealing.attempt
            if self._sealings.replace(key, found.sealing.in_state("deleted"), found.tag) is None:
                return False
            found = self._sealings.read(key)
        if found is not None and found.sealing.attempt == attempt:
            if found.sealing.is_sealed:
                return False
            if found.sealing.state == "deleted" and is_needed():
                self._sealings.replace(key, found.sealing.in_state("sealed"), found.tag)
                self._sealings.apply(key)
                return False
        self._objects.delete([info.key for info in self._objects.list(f"{key}/{attempt}")])
        self._sealings.apply(key)
        return True

    def _key(self, entry: Entry) -> str:
        return self._remote.key(self._local.directory(entry.slot, entry.fingerprint))

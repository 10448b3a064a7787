"""Reads and writes the sealing objects of a remote root, and their local copies."""

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from components.base.errors import IntegrityError
from job.store.manifest import MANIFEST
from job.store.remote.artifact import read_local_sealing
from job.store.remote.sealing import SUFFIX, Sealing

if TYPE_CHECKING:
    from job.store.remote.root import RemoteRoot


class SealingObject(NamedTuple):
    """A sealing object in the store."""

    sealing: Sealing
    tag: str


class SealingObjects:
    """The sealing objects of one root, by the keys of their artifacts."""

    def __init__(self, remote: "RemoteRoot") -> None:
        self._remote, self._objects = remote, remote.objects

    def create(self, key: str, sealing: Sealing) -> bool:
        """Create a sealing object, or replace a tombstone; return whether the object is this one."""
        if self._objects.create(key + SUFFIX, sealing.to_bytes()):
            return True
        try:
            found = self.read(key)
        except IntegrityError:  # the look-up reports it
            return False
        if found is None or found.sealing.is_sealed:
            return False
        return self.replace(key, sealing, found.tag) is not None

    def read(self, key: str) -> SealingObject | None:
        """Return a sealing object, or None; errors as for `Sealing.from_bytes`."""
        content = self._objects.read(key + SUFFIX)
        return None if content is None else SealingObject(self.parse(key, content.data), content.tag)

    def replace(self, key: str, sealing: Sealing, tag: str) -> str | None:
        """Replace a sealing object that has a tag; return its new tag, or None if it has another tag by now."""
        return self._objects.replace(key + SUFFIX, sealing.to_bytes(), tag)

    def complete(self, folder: str, manifest: str) -> None:
        """Complete the folder of an attempt by its manifest. Its age counts from now."""
        self._objects.upload(manifest.encode(), f"{folder}/{MANIFEST}")

    def apply(self, key: str) -> Sealing | None:
        """Make the present sealing object local, and return it; None if there is none, or it is damaged."""
        if (content := self._objects.read(key + SUFFIX)) is None:
            self._remote.forget(key + SUFFIX)
            return None
        self._remote.apply(key + SUFFIX, content)
        return self.local(key)

    def local(self, key: str) -> Sealing | None:
        """Return the local copy of a sealing object; None if there is none, or it is damaged."""
        with suppress(IntegrityError):
            return read_local_sealing(self._remote.path / key)
        return None

    def parse(self, key: str, content: bytes) -> Sealing:
        """Return the content of a sealing object; errors as for `Sealing.from_bytes`."""
        return Sealing.from_bytes(content, where=str(self._remote.url / (key + SUFFIX)))

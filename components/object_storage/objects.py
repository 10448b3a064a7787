"""The protocol of an object store: ten operations on the objects below one URL.

Only `create` and `replace` have guarantees between machines: of all that create a key, one succeeds; an object is
replaced only if it still has the expected tag. Reads and lists return what was written before (S3, Azure and Google
Cloud Storage guarantee that).

Each operation retries transient errors (429, 5xx, resets, timeouts) with back-off, within the time and number of the
settings, and before `deadline.requests_end_by`, and raises:

    ConfigError      wrong credentials, no such bucket, no permission, wrong region
    ResourceError    the store cannot be reached, or does not respond in time
    StorageError     the local disk is full

After an error it is unknown whether a create, replace or upload happened; it may even happen later.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from components.object_storage.url import ObjectUrl

OnBytes = Callable[[int], None]
"""Called during a transfer, from its thread, with the number of bytes since the last call: negative if it begins again.

An exception that it raises ends the transfer."""


def ignore_bytes(count: int) -> None:
    """Do nothing; for transfers without progress."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object in a list."""

    key: str
    """Relative to the URL, with `/`."""
    size: int
    """In bytes."""
    tag: str
    """Changes with every write (the ETag). To replace the object, read it: that returns the tag to use."""
    modified: datetime
    """When it was written, by the clock of the store, in UTC."""


@dataclass(frozen=True)
class Content:
    """The content of a small object."""

    data: bytes
    tag: str
    """For `replace`."""
    modified: datetime


@dataclass(frozen=True)
class Listing:
    """The objects of one folder, and the names of the folders in it."""

    objects: tuple[ObjectInfo, ...]
    folders: tuple[str, ...]
    """Names, without the prefix and the slash, sorted."""


class Objects(Protocol):
    """The objects below a URL. Keys are relative to it."""

    @property
    def url(self) -> ObjectUrl:
        """The URL that all keys are relative to."""

    def create(self, key: str, data: bytes) -> bool:
        """Create a small object if its key is free; return whether the object is this one.

        The content must be unique to the caller, because after a lost response the object is read back and compared.
        """

    def replace(self, key: str, data: bytes, tag: str) -> str | None:
        """Replace a small object if it still has this tag; return the new tag, or None if it changed or is gone.

        The content must be unique to the caller, as for `create`.
        """

    def read(self, key: str) -> Content | None:
        """Return a small object, or None if it does not exist."""

    def info(self, key: str) -> ObjectInfo | None:
        """Return size, tag and time of an object, or None if it does not exist."""

    def upload(self, source: Path | bytes, key: str, *, on_bytes: OnBytes = ignore_bytes) -> None:
        """Create or replace an object with a file or bytes. A reader gets the old content or the new one."""

    def download(self, key: str, path: Path, *, sha256: str | None = None, on_bytes: OnBytes = ignore_bytes) -> None:
        """Write an object to a file, in a folder that exists; the file appears when it is complete.

        Raises:
            IntegrityError: if the object does not exist, or its content has another SHA-256, twice.
        """

    def copy(self, source: str, target: str) -> bool:
        """Create or replace an object with the content of another one; return False if that does not exist.

        The content is not transferred through this machine. Azure may complete a copy later: the size is then 0.
        """

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """Return all objects whose key begins with a prefix, sorted by key."""

    def list_folder(self, folder: str = "") -> Listing:
        """Return the objects and folders directly in a folder, which is named without a slash at its end."""

    def address(self) -> str:
        """Return the HTTP address of an object below the URL that need not exist, without credentials."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that do not exist are skipped."""

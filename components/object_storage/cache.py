"""The local cache of files from object storage: bounded, and shared by all processes of a machine.

It consists of items, each one a folder. The least recently used are evicted first, those in use never.

<cache>/items/<name>.json    path and size of an item; its time is that of the last use
<cache>/items/<name>.lock    a shared lock while the item is in use; an exclusive one while it is evicted
<cache>/.evicting            an exclusive lock while a process evicts items
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import ConfigError, StorageError
from components.base.formatting import format_size
from components.io.atomic import write_atomically
from components.object_storage.settings import StorageSettings, storage_settings
from components.runtime.disk import free_bytes
from components.runtime.locks import LOCK_FILE_MODE, no_locks_error

ITEMS = "items"
EVICTING = ".evicting"
SPARE_BYTES = 16 * 1024**2
"""Disk space that the cache leaves free."""


@dataclass(frozen=True)
class _Item:
    path: str
    size: int
    keep: tuple[str, ...]
    used: float


class Cache:
    """Folders below one folder, with a limit of their total size.

    >>> cache = Cache(Path("cache"), max_bytes=10**9)
    >>> with cache.use("data/1234") as folder:  # doctest: +SKIP
    ...     cache.reserve("data/1234", 10**6)
    ...     download_files(objects, [Transfer(folder / "images.npy", "images.npy")])
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder, self._max_bytes = folder, max_bytes

    @classmethod
    def configured(cls, settings: StorageSettings | None = None) -> "Cache":
        """Return the cache of the settings."""
        settings = settings or storage_settings()
        return cls(settings.cache_folder, max_bytes=settings.max_cache_bytes)

    @contextmanager
    def use(self, path: str) -> Iterator[Path]:
        """Yield the folder of an item, which need not exist; it is not evicted while the block runs.

        Args:
            path: relative to the folder of the cache.
        """
        record = self._record(path)
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            handle = _lock(record.with_suffix(".lock"), fcntl.LOCK_SH)
        except PermissionError as error:
            remedy = "name another folder with cache.path or JOB_CACHE, or give the job permission"
            raise ConfigError.not_writable(f"the cache {self.folder}", error, remedy=remedy) from error
        with suppress(FileNotFoundError):
            os.utime(record)
        try:
            yield self.folder / path
        finally:
            os.close(handle)

    def reserve(self, path: str, size: int, *, keep: Collection[str] = ()) -> None:
        """Reserve space for the files of an item in use, by evicting others; called before the files are written.

        Args:
            path: that of `use`.
            size: of all files of the item, in bytes.
            keep: names of small files in the item's folder that eviction does not delete.

        Raises:
            StorageError: if the items in use exceed the limit, or the disk has not enough space.
        """
        handle = _lock(self.folder / EVICTING, fcntl.LOCK_EX)
        try:
            others = [item for item in self._items() if item.path != path]
            excess = sum(item.size for item in others) + size - self._max_bytes
            while others and max(excess, self._missing(path, size)) > 0:
                other = others.pop(0)
                if self._evict(other):
                    excess -= other.size
            if excess > 0:
                raise self._limit_error(size, excess)
            if self._missing(path, size) > 0:
                raise self._disk_error(size)
            content = json.dumps({"path": path, "size": size, "keep": sorted(keep)})
            write_atomically(self._record(path), content, what="the list of the cache")
        finally:
            os.close(handle)

    def _record(self, path: str) -> Path:
        return self.folder / ITEMS / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.json"

    def _items(self) -> list[_Item]:
        """Return all items, the least recently used first."""
        items = []
        for file in (self.folder / ITEMS).glob("*.json"):
            with suppress(OSError, ValueError, KeyError):
                content = json.loads(file.read_bytes())
                items.append(_Item(content["path"], content["size"], (*content["keep"],), file.stat().st_mtime))
        return sorted(items, key=lambda item: item.used)

    def _evict(self, item: _Item) -> bool:
        """Delete the files of an item; return False if it is in use."""
        record = self._record(item.path)
        lock = record.with_suffix(".lock")
        try:
            handle = _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            folder = self.folder / item.path
            if item.keep:
                _delete_except(folder, item.keep)
            else:
                shutil.rmtree(folder, ignore_errors=True)
            record.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)  # last: a process that waits for the lock finds that it is gone
        finally:
            os.close(handle)
        return True

    def _missing(self, path: str, size: int) -> int:
        """Return how many bytes the disk lacks for an item of this size; a part of it may be present."""
        return size - _size_of(self.folder / path) + SPARE_BYTES - free_bytes(self.folder)

    def _limit_error(self, size: int, excess: int) -> StorageError:
        used = format_size(self._max_bytes + excess - size)
        return StorageError(
            f"no room for {format_size(size)} in the cache {self.folder}: {used} are in use"
            f" of {format_size(self._max_bytes)}",
            expected="a cache with room for all that runs use at the same time",
            remedy="raise cache.max_size",
        )

    def _disk_error(self, size: int) -> StorageError:
        return StorageError(
            f"no space for {format_size(size)} on the disk of the cache {self.folder}:"
            f" {format_size(free_bytes(self.folder))} free",
            expected="a disk with room for all that runs use at the same time",
            remedy="free some space, or name a folder on another disk with cache.path or JOB_CACHE",
        )


def _lock(path: Path, operation: int) -> int:
    """Return the handle of a locked file, which is created if it does not exist."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, LOCK_FILE_MODE)
        try:
            fcntl.flock(handle, operation)
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:  # deleted by its last owner
            pass
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError as error:
            os.close(handle)
            raise no_locks_error(path, error) from error
        os.close(handle)


def _size_of(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a draft of another process
                size += Path(parent, name).stat().st_size
    return size


def _delete_except(folder: Path, names: Collection[str]) -> None:
    with suppress(FileNotFoundError):
        for entry in [*folder.iterdir()]:
            if entry.name in names:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)

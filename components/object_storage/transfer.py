"""Many files at once: to and from an object store, in parallel."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from components.object_storage.objects import Objects, OnBytes, ignore_bytes
from components.object_storage.threads import run_in_threads

THREADS = 8


@dataclass(frozen=True)
class Transfer:
    """A file and its object."""

    path: Path
    key: str
    sha256: str | None = None
    """Expected of a download."""


def upload_files(objects: Objects, transfers: Iterable[Transfer], *, on_bytes: OnBytes = ignore_bytes) -> None:
    """Upload files in parallel; the first error ends the other uploads and is raised.

    Args:
        on_bytes: called in this thread with the bytes since its last call; negative if an upload begins again.
    """
    _transfer([_upload(objects, transfer) for transfer in transfers], on_bytes, THREADS)


def download_files(
    objects: Objects, transfers: Iterable[Transfer], *, on_bytes: OnBytes = ignore_bytes, threads: int = THREADS
) -> None:
    """Download files in parallel, into folders that are created; each file appears when it is complete.

    The first error ends the other downloads and is raised, as by `Objects.download`.

    Args:
        on_bytes: called in this thread with the number of bytes since its last call; negative if a download begins
            again.
        threads: maximum number of downloads at the same time.
    """
    _transfer([_download(objects, transfer) for transfer in transfers], on_bytes, threads)


def _upload(objects: Objects, transfer: Transfer) -> Callable[[OnBytes], None]:
    return lambda on_bytes: objects.upload(transfer.path, transfer.key, on_bytes=on_bytes)


def _download(objects: Objects, transfer: Transfer) -> Callable[[OnBytes], None]:
    def download(on_bytes: OnBytes) -> None:
        transfer.path.parent.mkdir(parents=True, exist_ok=True)
        objects.download(transfer.key, transfer.path, sha256=transfer.sha256, on_bytes=on_bytes)

    return download


class _StoppedError(Exception):
    """Raised in a transfer that is not needed any more."""


class _Bytes:
    """Bytes of all transfers, counted in their threads and reported in that of the caller."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes, self._count, self._lock = on_bytes, 0, Lock()
        self.stopped = False

    def add(self, count: int) -> None:
        with self._lock:
            self._count += count
        if self.stopped:
            raise _StoppedError

    def report(self) -> None:
        with self._lock:
            count, self._count = self._count, 0
        if count:
            self._on_bytes(count)


def _transfer(transfers: list[Callable[[OnBytes], None]], on_bytes: OnBytes, threads: int) -> None:
    count = _Bytes(on_bytes)
    try:
        run_in_threads([partial(transfer, count.add) for transfer in transfers], threads=threads, on_tick=count.report)
    except BaseException:  # of a transfer, or of a signal
        count.stopped = True
        raise

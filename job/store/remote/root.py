"""A root in object storage, and the local folder through which it is used.

<cache>/roots/<name>-<digest>/           the cached root: the layout of a local root
<cache>/roots/<name>-<digest>/.remote/   the state of its copies
"""

import hashlib
import os
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from components.base.errors import IntegrityError
from components.object_storage import Content, ObjectInfo, Objects, ObjectUrl, check_write_access, open_objects
from components.object_storage.access import create_probe
from components.object_storage.cache import Cache
from components.object_storage.parallel import call_all
from components.object_storage.settings import storage_settings
from components.runtime import locks
from components.runtime.locks import UNKNOWN_OWNER, HeldLock
from job.pipeline.slots import SLOTS
from job.pipeline.steps import STEPS
from job.store.measure import Measured, measure
from job.store.remote.contents import measure_objects
from job.store.remote.files import CachedFiles
from job.store.remote.lease import Leases
from job.store.remote.mirror import STATE, Mirror, is_at_work
from job.store.remote.uploads import Uploads
from job.store.runs import RECORD

MACHINE = "machine"
CHECKED = "checked"
"""Exists in the state folder after the store was found to support what the job requires."""
LISTED_SECONDS = 5.0
"""A list of the root that is younger shows which leases do not exist: one round trip for all runs."""


def folder_of(url: ObjectUrl) -> Path:
    """Return the local folder of a remote root."""
    name = f"{url.scheme}-{url.bucket}-{hashlib.sha256(str(url).encode()).hexdigest()[:12]}"
    return storage_settings().cache_folder.resolve() / "roots" / name


class _Listed(NamedTuple):
    keys: frozenset[str]
    at: float
    """Time before the list was made, by the monotonic clock."""


class RemoteRoot:
    """A root in object storage."""

    def __init__(self, objects: Objects, path: Path) -> None:
        settings = storage_settings()
        (path / STATE).mkdir(parents=True, exist_ok=True)
        self.objects = objects
        self.path = path
        self.files = CachedFiles(objects, path, Cache(path.parents[1], max_bytes=settings.max_cache_bytes))
        self._mirror = Mirror(path, objects)
        self._uploads = Uploads(objects, seconds=settings.timeout, on_uploaded=self._mirror.uploaded)
        self._listed: dict[str, _Listed] = {}
        self._leases = Leases(objects, _machine(path / STATE))

    @classmethod
    def connect(cls, url: ObjectUrl) -> "RemoteRoot":
        """Return the root at a URL, with its local folder."""
        return cls(open_objects(url), folder_of(url))

    @property
    def url(self) -> ObjectUrl:
        """The URL of the root."""
        return self.objects.url

    def key(self, path: Path) -> str:
        """Return the key of a file or folder below the local folder."""
        return "" if path == self.path else path.relative_to(self.path).as_posix()

    def address(self, path: Path) -> str:
        """Return the URL of a file or folder below the local folder; another path stays as it is."""
        if path.is_symlink():
            path = Path(os.path.normpath(path.parent / path.readlink()))
        return str(self.url / self.key(path)) if path.is_relative_to(self.path) else str(path)

    def location(self, path: Path) -> str:
        """Return where a small file can be read: its URL, or the local path if it was not uploaded."""
        return str(path) if self._uploads.is_missing(self.key(path)) else self.address(path)

    def check_writable(self) -> None:
        """Raise ConfigError or ResourceError if objects cannot be written, or the store lacks conditional writes."""
        checked = self.path / STATE / CHECKED
        if not checked.exists():
            check_write_access(self.objects)
            checked.touch()
            return
        self._uploads.delete(create_probe(self.objects))

    @contextmanager
    def acquire(
        self,
        path: Path,
        *,
        owner: str = UNKNOWN_OWNER,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> Iterator[HeldLock]:
        """Hold the lock of this machine, and the lease of all machines, while the block runs.

        The block receives the lock only: work that continues after the lease was taken over does no harm.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            locks.acquire(path, owner=owner, on_wait=on_wait, check=check) as held,
            self.leased(path, owner=owner, on_wait=on_wait, check=check or (lambda: None)),
        ):
            yield held

    @contextmanager
    def try_acquire(self, path: Path) -> Iterator[bool]:
        """Hold lock and lease while the block runs if no other process has them; yield whether that is so."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with locks.try_acquire(path) as free:
            if not free:
                yield False
                return
            with self._leases.try_acquire(self.key(path)) as leased:
                yield leased

    def is_held(self, path: Path) -> bool:
        """Return whether a process on any machine holds a lease that it still rewrites, by the clock of the store."""
        if locks.is_held(path):
            return True
        key = self.key(path)
        listed = self._listed.get(f"{key.partition('/')[0]}/")
        if listed is not None and time.monotonic() - listed.at < LISTED_SECONDS and key not in listed.keys:
            return False
        return self._leases.is_held(key)

    def wrote(self, path: Path) -> None:
        """Upload a small file, or the target of a link, in the background."""
        if path.is_symlink():
            self._uploads.put(self.key(path), path.readlink().name.encode(), after_others=True)
        else:
            self._uploads.put(self.key(path), path.read_bytes())

    def removed(self, path: Path) -> None:
        """Delete the object of a file, or all objects of a folder; the record of a run last."""
        key = self.key(path)
        self._uploads.discard(key)
        keys = [info.key for info in self.objects.list(f"{key}/")]
        last = {key, f"{key}/{RECORD}"}
        self.objects.delete([other for other in keys if other not in last])
        self.objects.delete([key, *(last & {*keys})])

    def measure_each(self, folder: Path, names: Iterable[str]) -> Iterator[tuple[Path, Measured]]:
        """Measure the objects of each folder, or the local copy if there are none."""
        objects: dict[str, list[ObjectInfo]] = defaultdict(list)
        if names := [*names]:
            for info in self.objects.list(start := f"{self.key(folder)}/"):
                objects[info.key.removeprefix(start).partition("/")[0]].append(info)
        for name in names:
            infos, path = objects.get(name), folder / name
            measured = measure_objects(infos, self.now()) if infos else measure(path)
            if measured is not None:
                yield path, measured

    def flush(self) -> None:
        """Wait until all uploads are done; raise JobError if one failed."""
        self._uploads.flush()

    def fetch(self, path: Path) -> None:
        """Download a small file if it exists."""
        if not path.exists():
            with suppress(IntegrityError):
                path.parent.mkdir(parents=True, exist_ok=True)
                self.objects.download(self.key(path), path)

    def now(self) -> datetime:
        """Return the time of the store."""
        return self._leases.now()

    def leased(
        self, path: Path, *, owner: str, on_wait: Callable[[str], None] | None, check: Callable[[], None]
    ) -> AbstractContextManager[object]:
        """Return a block in which this process holds a lease; it holds the lock of this machine already."""
        return self._leases.acquire(self.key(path), name=owner, on_wait=on_wait, check=check)

    def forget(self, key: str) -> None:
        """Delete the local copy of an object that is gone."""
        self._mirror.forget(key)

    def apply(self, key: str, content: Content) -> None:
        """Make a small object that was read local."""
        self._mirror.apply(key, content)

    def refresh(self, folder: Path) -> None:
        """Download what other machines have changed: the small files below a folder, or of the whole root."""
        key, known, listed_at = self.key(folder), self.known(), time.monotonic()
        listed = self.objects.list(f"{key}/") if key else self._list_all()
        within = (f"{key}/",) if key else ("artifacts/", "runs/", "tags/")
        self.update(listed, within=within, known=known, listed_at=listed_at)

    def known(self) -> frozenset[str]:
        """Return the keys that were in the store at some time before this call."""
        return self._mirror.known()

    def update(
        self, listed: list[ObjectInfo], *, within: tuple[str, ...], known: frozenset[str], listed_at: float
    ) -> None:
        """Download what has changed of some objects that were listed; see `Mirror.update`."""
        for folder in within:
            keys = frozenset(info.key for info in listed if info.key.startswith(folder))
            self._listed[folder] = _Listed(keys, listed_at)

        def is_newer(key: str) -> bool:
            return self._uploads.pending(key) or is_at_work(self.path, key)

        self._mirror.update(listed, within=within, known=known, skip=is_newer)

    def _list_all(self) -> list[ObjectInfo]:
        """Return the objects of runs and tags, and the sealing objects of artifacts."""
        listed: list[ObjectInfo] = []

        def list_below(name: str) -> Callable[[], None]:
            return lambda: listed.extend(self.objects.list(f"{name}/"))

        def list_folder(name: str) -> Callable[[], None]:
            return lambda: listed.extend(self.objects.list_folder(name).objects)

        def list_steps() -> None:
            steps = self.objects.list_folder(f"artifacts/{STEPS}").folders
            call_all([list_folder(f"artifacts/{STEPS}/{name}") for name in steps])

        folders = [list_folder(f"artifacts/{slot}") for slot in SLOTS]
        call_all([list_below("runs"), list_below("tags"), list_steps, *folders])
        return listed


def _machine(folder: Path) -> str:
    """Return the name of this machine among those that use a root: random, and stored in the cached root."""
    path = folder / MACHINE
    if not path.exists():
        draft = folder / f".{MACHINE}-{secrets.token_hex(4)}"
        draft.write_text(secrets.token_hex(8))
        with suppress(FileExistsError):  # another process was faster
            os.link(draft, path)
        draft.unlink()
    return f"{path.read_text()}@{socket.gethostname()}"  # a copy of the folder is that of another machine

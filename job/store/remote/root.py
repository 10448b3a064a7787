"""A root in object storage, and the local folder through which it is used.

<cache>/roots/<name>-<digest>/           the cached root: the layout of a local root
<cache>/roots/<name>-<digest>/.remote/   what is known of the objects
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from components.base.errors import IntegrityError
from components.io.atomic import write_atomically
from components.object_storage import ObjectInfo, Objects, ObjectUrl, open_objects
from components.object_storage.settings import storage_settings
from components.runtime.locks import UNKNOWN_OWNER, HeldLock, acquire, try_acquire
from job.pipeline.slots import SLOTS
from job.pipeline.steps import STEPS
from job.store.remote.lease import leased, try_lease
from job.store.remote.mirror import apply, forget
from job.store.remote.uploads import Uploads
from job.store.runs import LATEST

STATE = ".remote"
TAGS = "tags.json"
THREADS = 16


def folder_of(url: ObjectUrl) -> Path:
    """Return the local folder of a remote root."""
    name = f"{url.scheme}-{url.bucket}-{hashlib.sha256(str(url).encode()).hexdigest()[:12]}"
    return storage_settings().cache_folder.resolve() / "roots" / name


class RemoteRoot:
    """A root in object storage."""

    def __init__(self, objects: Objects, path: Path) -> None:
        self.objects = objects
        self.path = path
        self._uploads = Uploads(objects)
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")

    @classmethod
    def connect(cls, url: ObjectUrl) -> "RemoteRoot":
        """Return the root at a URL, with its local folder."""
        path = folder_of(url)
        (path / STATE).mkdir(parents=True, exist_ok=True)
        return cls(open_objects(url), path)

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

    @contextmanager
    def acquire(
        self,
        path: Path,
        *,
        owner: str = UNKNOWN_OWNER,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> Iterator[HeldLock]:
        """Hold the lock of this machine, and the lease of all machines, while the block runs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            acquire(path, owner=owner, on_wait=on_wait, check=check) as held,
            leased(self.objects, self.key(path), owner=owner, on_wait=on_wait, check=check),
        ):
            yield held

    @contextmanager
    def try_acquire(self, path: Path) -> Iterator[bool]:
        """Hold lock and lease while the block runs if no other process has them; yield whether that is so."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with try_acquire(path) as free:
            lease = try_lease(self.objects, self.key(path), UNKNOWN_OWNER) if free else None
            try:
                yield lease is not None
            finally:
                if lease is not None:
                    lease.release()

    def is_held(self, path: Path) -> bool:
        """Return whether a process on any machine holds a lease."""
        return self.objects.info(self.key(path)) is not None

    def wrote(self, path: Path) -> None:
        """Upload a small file, or the target of a link, in the background."""
        self._uploads.put(self.key(path), path.readlink().name.encode() if path.is_symlink() else path.read_bytes())

    def removed(self, path: Path) -> None:
        """Delete the object of a file, or all objects of a folder."""
        key = self.key(path)
        self.objects.delete([key, *(info.key for info in self.objects.list(f"{key}/"))])

    def flush(self) -> None:
        """Wait until all uploads are done; raise JobError if one failed."""
        self._uploads.flush()

    def fetch(self, path: Path) -> None:
        """Download a small file if it exists."""
        if not path.exists():
            with suppress(IntegrityError):
                path.parent.mkdir(parents=True, exist_ok=True)
                self.objects.download(self.key(path), path)

    def refresh(self, folder: Path) -> None:
        """Download what other machines have changed: the small files below a folder, or of the whole root."""
        with acquire(self.path / STATE / "lock"):
            if folder == self.path:
                self._refresh_all()
            else:
                key = f"{self.key(folder)}/"
                self._download(filter(_is_mirrored, self.objects.list(key)), within=(key,))

    def _refresh_all(self) -> None:
        folders = [f"artifacts/{slot}" for slot in SLOTS]
        sealings = [self.pool.submit(self.objects.list_folder, folder) for folder in folders]
        runs, tags = (self.pool.submit(self.objects.list, f"{name}/") for name in ("runs", "tags"))
        steps = self.objects.list_folder(f"artifacts/{STEPS}").folders
        sealings += [self.pool.submit(self.objects.list_folder, f"artifacts/{STEPS}/{name}") for name in steps]
        small = [*filter(_is_mirrored, (*runs.result(), *tags.result()))]
        small += [info for listed in sealings for info in listed.result().objects if info.key.endswith(".json")]
        self._download(small, within=("artifacts/", "runs/", "tags/"))

    def _download(self, small: Iterable[ObjectInfo], *, within: tuple[str, ...]) -> None:
        """Download the objects that have changed, and delete the copies of those below some keys that are gone."""
        found = [*small]
        index = self._read_index()
        pending = self._uploads.pending()
        changed = [info for info in found if index.get(info.key) != info.tag and info.key not in pending]
        present = {info.key for info in found}
        for info, content in zip(
            changed, self.pool.map(lambda info: self.objects.read(info.key), changed), strict=True
        ):
            if content is not None:
                apply(self.path, info.key, content)
                index[info.key] = content.tag
        for key in [key for key in index if key.startswith(within) and key not in present]:
            forget(self.path, key)
            del index[key]
        write_atomically(self.path / STATE / TAGS, json.dumps(index), what="the state of the cache")

    def _read_index(self) -> dict[str, str]:
        try:
            return dict(json.loads((self.path / STATE / TAGS).read_bytes()))
        except (OSError, ValueError):
            return {}


def _is_mirrored(info: ObjectInfo) -> bool:
    """Return whether there is a local copy of an object of runs, tags and sweeps: of records, but not of pages."""
    folder, _, name = info.key.partition("/")
    return folder == "tags" or name == LATEST or info.key.endswith(".json")

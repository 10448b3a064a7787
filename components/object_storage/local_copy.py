"""Copies of data in object storage: folders of the local cache with the names of the objects.

At first, a copy has only names: each object is a dangling link, which can be listed but not read. `fetch` downloads the
objects that are needed. The next process downloads only those whose tag has changed.

<cache>/data/<digest of the URL>/files/...      the names and files
<cache>/data/<digest of the URL>/tags.jsonl     key and tag of each file that was downloaded, one a line
<cache>/data/<digest of the URL>/lock           exists while a process changes the copy
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from components.base.addresses import show_as
from components.base.errors import DataError, IntegrityError
from components.base.hashing import value_sha256
from components.object_storage.cache import Cache
from components.object_storage.find_objects import FoundObjects, find_objects
from components.object_storage.local_files import LocalFiles
from components.object_storage.objects import ObjectInfo, OnBytes
from components.object_storage.reports import report_transfer
from components.object_storage.transfer import THREADS, Transfer, download_files
from components.object_storage.url import ObjectUrl
from components.runtime.locks import acquire

COPIES = "data"
"""Folder of all copies in the cache."""
NOTHING = "/.not-downloaded"
"""Target of the link in place of a file that is not downloaded."""
BATCH_FILES = 1000
"""Files whose tags are recorded at once: a process that is killed downloads at most these again."""

SMALL_BYTES = 256 * 1024
SMALL_FILE_THREADS = 32
"""For files that take less time than their request: 60,000 pictures at 20 ms take 140 s, and 330 s with 8 threads."""


@contextmanager
def open_copy(url: ObjectUrl) -> Iterator["LocalCopy"]:
    """Yield the copy of an object, or of all objects below a URL; it stays in the cache while the block runs.

    Raises:
        DataError: if there is no object.
    """
    cache, name = Cache.configured(), f"{COPIES}/{value_sha256(str(url))[:16]}"
    found = find_objects(url)
    with cache.use(name) as folder:
        folder.mkdir(parents=True, exist_ok=True)
        copy = LocalCopy(found, folder, lambda size: cache.reserve(name, size))
        copy.update_names()
        if not found.is_folder:
            copy.fetch([copy.path])
        yield copy


class LocalCopy(LocalFiles):
    """A copy of an object, or of all objects below a URL.

    Args:
        found: the objects.
        folder: the folder of the copy.
        reserve: called with the bytes of all files before some are downloaded.
    """

    def __init__(self, found: FoundObjects, folder: Path, reserve: Callable[[int], None]) -> None:
        self._found, self._reserve = found, reserve
        self._folder, self._files, self._tags = folder, folder / "files", folder / "tags.jsonl"
        self._prefix = f"{self._files}/"  # text, because a data set may have many small files
        show_as(self._files, str(found.objects.url))
        super().__init__(self._files if found.is_folder else self._files / next(iter(found.infos)))

    def update_names(self) -> None:
        """Add the names of new objects, and remove those of objects that do not exist any more."""
        infos, folders = self._found.infos, self._found.folders
        with acquire(self._folder / "lock"):
            present = set()
            for folder, subfolders, names in os.walk(self._files, topdown=False):
                parent = Path(folder).relative_to(self._files)
                keys = {(parent / name).as_posix() for name in names}
                for key in keys - infos.keys():
                    (self._files / key).unlink()
                for key in {(parent / name).as_posix() for name in subfolders} - folders:
                    (self._files / key).rmdir()
                present |= keys & infos.keys()
            for key in sorted({"", *folders}):
                (self._files / key).mkdir(exist_ok=True)
            for key in infos.keys() - present:
                (self._files / key).symlink_to(NOTHING)

    def fetch(self, files: Iterable[Path]) -> None:
        needed = [self._found.infos[str(path).removeprefix(self._prefix)] for path in files]
        if not self._outdated(needed):
            return
        with acquire(self._folder / "lock"):
            if outdated := self._outdated(needed):
                present = sum(self._size(key) or 0 for key in self._found.infos)
                self._reserve(present + sum(info.size - (self._size(info.key) or 0) for info in outdated))
                text, size = f"downloading from {self._found.url}", sum(info.size for info in outdated)
                remaining = iter(outdated)
                with report_transfer(text, files=len(outdated), size=size) as on_bytes:
                    while batch := [*islice(remaining, BATCH_FILES)]:
                        self._download(batch, on_bytes)

    def _outdated(self, infos: Iterable[ObjectInfo]) -> list[ObjectInfo]:
        """Return the objects whose files are not present, or of another version."""
        tags = self._read_tags()
        return [info for info in infos if tags.get(info.key) != info.tag or self._size(info.key) != info.size]

    def _size(self, key: str) -> int | None:
        """Return the size of a file, or None if it is not present."""
        with suppress(FileNotFoundError):
            return os.stat(self._prefix + key).st_size  # noqa: PTH116  (a Path takes longer than the call)
        return None

    def _download(self, infos: list[ObjectInfo], on_bytes: OnBytes) -> None:
        transfers = [Transfer(self._files / info.key, info.key) for info in infos]
        threads = SMALL_FILE_THREADS if sum(info.size for info in infos) < SMALL_BYTES * len(infos) else THREADS
        try:
            download_files(self._found.objects, transfers, on_bytes=on_bytes, threads=threads)
        except IntegrityError as error:
            expected, remedy = "the objects that the store listed before", "run the same command again"
            raise DataError(error.headline, expected=expected, remedy=remedy) from error
        with self._tags.open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps([info.key, info.tag])}\n" for info in infos)

    def _read_tags(self) -> dict[str, str]:
        """Return the tag of each file when it was downloaded."""
        tags = {}
        with suppress(FileNotFoundError), self._tags.open(encoding="utf-8") as file:
            for line in file:
                with suppress(ValueError):  # a line that a killed process did not complete
                    key, tag = json.loads(line)
                    tags[key] = tag
        return tags

"""The files of artifacts in the local cache: downloaded when a component needs them, and kept while in use."""

from collections.abc import Iterable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from components.object_storage import Objects
from components.object_storage.cache import Cache
from components.object_storage.parallel import call_all
from components.object_storage.reports import report_transfer
from components.object_storage.transfer import Transfer, download_files, upload_files
from components.runtime.locks import LockLostError, acquire
from job.store.hashed_file import HashedFile, hash_each, walk
from job.store.manifest import MANIFEST, FileEntry, Manifest
from job.store.remote.mirror import STATE, remove_folder, replace_folder


class CachedFiles:
    """The files of the artifacts of one cached root.

    Those that this process uses are not evicted until `release`.
    """

    def __init__(self, objects: Objects, root: Path, cache: Cache) -> None:
        self._objects, self._root, self._cache = objects, root, cache
        self._in_use: dict[Path, ExitStack] = {}

    def is_in_use(self, directory: Path) -> bool:
        """Return whether this process uses local files of an artifact."""
        return directory in self._in_use

    def release(self) -> None:
        """Let the cache evict what this process has used."""
        while self._in_use:
            self._in_use.popitem()[1].close()

    def fetch(
        self, directory: Path, manifest: Manifest, prefix: str, names: Iterable[str], known: dict[str, HashedFile]
    ) -> None:
        """Make files of an artifact local; those that differ from the manifest are downloaded again.

        Args:
            prefix: key of the folder of the files.
            names: only these; all if empty.
            known: the files when this process hashed them last.

        Raises:
            IntegrityError: if an object is missing, or differs from the manifest.
            StorageError: if the cache has no room.
        """
        wanted = [*names]
        entries = [entry for entry in manifest.files if not wanted or entry.path in wanted]
        self._use(directory)
        with acquire(directory.with_name(f"{directory.name}.download")):
            self._delete_others(directory, manifest)
            missing = self._missing(directory, entries, known)
            if missing:
                present = sum(max(0, _size(directory / entry.path)) for entry in manifest.files if entry not in missing)
                self._reserve(directory, present + sum(entry.size for entry in missing))
                self._download(directory, missing, prefix)

    def upload(self, folder: Path, manifest: Manifest, prefix: str) -> None:
        """Upload the files of an artifact.

        Raises:
            LockLostError: if they are not there afterwards: another machine took this attempt for abandoned.
        """
        size = sum(entry.size for entry in manifest.files)
        text = f"uploading to {self._objects.url / prefix.rpartition('/')[0]}"
        with report_transfer(text, files=len(manifest.files), size=size) as on_bytes:
            transfers = (Transfer(folder / entry.path, prefix + entry.path) for entry in manifest.files)
            upload_files(self._objects, transfers, on_bytes=on_bytes)
        sizes = {info.key.removeprefix(prefix): info.size for info in self._objects.list(prefix)}
        if any(sizes.get(entry.path) != entry.size for entry in manifest.files):
            raise LockLostError(f"{self._objects.url / prefix} was changed before it was sealed")

    def keep(self, folder: Path, directory: Path, manifest: Manifest) -> None:
        """Make a folder with all files of an artifact the local one, unless its files are local already."""
        self._use(directory)
        with acquire(directory.with_name(f"{directory.name}.download")):
            if self._is_manifest_of(directory, manifest) and all(
                _size(directory / entry.path) == entry.size for entry in manifest.files
            ):
                return
            self._reserve(directory, sum(entry.size for entry in manifest.files))
            replace_folder(folder, directory)

    def verify(self, manifest: Manifest, prefix: str) -> None:
        """Download each file of an artifact, hash and delete it; errors as for `fetch`."""
        with TemporaryDirectory(prefix="verify-", dir=self._root / STATE) as folder:

            def verify(number: int, entry: FileEntry) -> None:
                path = Path(folder, str(number))
                self._objects.download(prefix + entry.path, path, sha256=entry.sha256)
                path.unlink()

            call_all([partial(verify, *item) for item in enumerate(manifest.files)])

    def _use(self, directory: Path) -> None:
        if directory not in self._in_use:
            stack = ExitStack()
            stack.enter_context(self._cache.use(self._item(directory)))
            self._in_use[directory] = stack

    def _reserve(self, directory: Path, size: int) -> None:
        self._cache.reserve(self._item(directory), size, keep=(MANIFEST,))

    def _item(self, directory: Path) -> str:
        return directory.relative_to(self._cache.folder).as_posix()

    def _is_manifest_of(self, directory: Path, manifest: Manifest) -> bool:
        with suppress(OSError):
            return (directory / MANIFEST).read_bytes() == manifest.to_bytes()
        return False

    def _delete_others(self, directory: Path, manifest: Manifest) -> None:
        if not directory.is_dir():
            return
        expected = {MANIFEST, *(entry.path for entry in manifest.files)}
        for path, _ in [*walk(directory)]:
            if path.relative_to(directory).as_posix() not in expected:
                path.unlink()

    def _missing(self, directory: Path, entries: list[FileEntry], known: dict[str, HashedFile]) -> list[FileEntry]:
        """Return the files that are not local, or differ from the manifest; those are deleted."""
        missing = []
        by_name = {entry.path: entry for entry in entries}
        for name, file in hash_each(directory, by_name, known):
            if isinstance(file, HashedFile) and file.sha256 == by_name[name].sha256:
                known[name] = file
                continue
            missing.append(by_name[name])
            with suppress(FileNotFoundError):
                (directory / name).unlink()
        return missing

    def _download(self, directory: Path, entries: list[FileEntry], prefix: str) -> None:
        """Download files beside the folder, and then rename them: the folder never has a part of a file."""
        drafts = directory.with_name(f".{directory.name}.download")
        remove_folder(drafts)
        text = f"downloading from {self._objects.url / prefix.rpartition('/')[0]}"
        try:
            with report_transfer(text, files=len(entries), size=sum(entry.size for entry in entries)) as on_bytes:
                transfers = (Transfer(drafts / entry.path, prefix + entry.path, entry.sha256) for entry in entries)
                download_files(self._objects, transfers, on_bytes=on_bytes)
            for entry in entries:
                (directory / entry.path).parent.mkdir(parents=True, exist_ok=True)
                (drafts / entry.path).replace(directory / entry.path)
        finally:
            remove_folder(drafts)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return -1

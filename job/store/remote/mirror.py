"""The local copies of small objects, as the files and links of a local root."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from components.base.errors import IntegrityError
from components.io.atomic import replace_link, write_atomically
from components.object_storage import Content, ObjectInfo, Objects
from components.object_storage.parallel import call_all
from components.runtime.locks import acquire, is_held
from job.store.manifest import MANIFEST
from job.store.remote.sealing import SUFFIX, Sealing
from job.store.runs import LATEST, LOCK, RECORD, Runs, read_record
from job.store.store import Store

STATE = ".remote"
"""Folder of a cached root with the state of its copies."""
TAGS = "tags.json"


class Mirror:
    """The small files of a cached root. A file is written again only if the tag of its object has changed."""

    def __init__(self, root: Path, objects: Objects) -> None:
        self.root, self._objects = root, objects
        self._tags: dict[str, str] = {}
        self._uploaded: set[str] = set()

    def known(self) -> frozenset[str]:
        """Return the keys that were in the store at some time before this call."""
        return frozenset(self._read_tags())

    def uploaded(self, key: str) -> None:
        """Called after an object was uploaded: if another machine deletes it, its copy is deleted, too."""
        if not is_mirrored(key) or key in self._uploaded:
            return
        with acquire(self.root / STATE / "lock"):
            tags = self._read_tags()
            if key not in tags:
                self._write_tags({**tags, key: ""})
        self._uploaded.add(key)

    def update(
        self,
        listed: Iterable[ObjectInfo],
        *,
        within: tuple[str, ...],
        known: frozenset[str],
        skip: Callable[[str], bool],
    ) -> None:
        """Download the objects that have changed, and delete the copies of those that are gone.

        Args:
            listed: the present objects; large ones are skipped.
            within: folders whose small objects are all listed.
            known: what `known` returned before they were listed; other copies may be newer than the list.
            skip: returns whether the local copy of a key is newer than its object.
        """
        with acquire(self.root / STATE / "lock"):
            before = self._read_tags()
            self._tags = {**before}
            found = {info.key: info for info in listed if is_mirrored(info.key)}
            changed = [key for key in found if not (self._is_current(key, found[key].tag) or skip(key))]
            contents = call_all([lambda key=key: self._objects.read(key) for key in changed])  # type: ignore[misc]
            for key, content in zip(changed, contents, strict=True):
                if content is not None:
                    self.apply(key, content)
            for key in [key for key in known if key.startswith(within) and key not in found]:
                self.forget(key)
            if self._tags != before:
                self._write_tags(self._tags)

    def apply(self, key: str, content: Content) -> None:
        """Write the local copy of an object, with the time of the object, unless it is current."""
        path = self.root / key
        if self._is_current(key, content.tag):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if key == f"runs/{LATEST}":
            replace_link(path, Path(content.data.decode(errors="replace").strip()))
        else:
            write_copy(path, content.data)
            os.utime(path, (content.modified.timestamp(),) * 2)
            if key.startswith("runs/"):
                _link_steps(self.root, path.parent)
            elif key.startswith("artifacts/"):
                with suppress(IntegrityError):  # the look-up of the artifact reports it
                    apply_sealing(Sealing.from_bytes(content.data, where=key), path.with_suffix(""))
        self._tags[key] = content.tag

    def forget(self, key: str) -> None:
        """Delete the local copy of an object that is gone."""
        self._tags.pop(key, None)
        path = self.root / key
        with suppress(OSError):
            path.unlink()
        if key.startswith("runs/") and path.name == RECORD:
            remove_folder(path.parent)
        elif key.startswith("artifacts/"):
            remove_folder(path.with_suffix(""))

    def _is_current(self, key: str, tag: str) -> bool:
        return self._tags.get(key) == tag and os.path.lexists(self.root / key)

    def _read_tags(self) -> dict[str, str]:
        try:
            return dict(json.loads((self.root / STATE / TAGS).read_bytes()))
        except (OSError, ValueError):
            return {}

    def _write_tags(self, tags: dict[str, str]) -> None:
        write_atomically(self.root / STATE / TAGS, json.dumps(tags), what="the state of the cache")


def is_mirrored(key: str) -> bool:
    """Return whether an object is small, and has a copy in every cached root."""
    folder, _, name = key.rpartition("/")
    match key.split("/")[0]:
        case "runs":
            return name == RECORD or (folder, name) == ("runs", LATEST)
        case "artifacts":
            return name.endswith(SUFFIX) and len(name) == 64 + len(SUFFIX)
        case "tags":
            return True
        case "sweeps":
            return name.endswith(".json")
        case _:
            return False


def is_at_work(root: Path, key: str) -> bool:
    """Return whether a process of this machine changes a record, so that its copy is newer than the object."""
    return key.startswith("runs/") and key.endswith(f"/{RECORD}") and is_held((root / key).with_name(LOCK))


def write_copy(path: Path, data: bytes) -> None:
    """Replace a file that can be downloaded again: other processes do so at the same time, and no disk is flushed."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def apply_sealing(sealing: Sealing, directory: Path) -> None:
    """Make the folder of an artifact that of its sealing object: with its manifest, and files of the same content."""
    manifest = directory / MANIFEST
    with suppress(OSError, ValueError):
        if sealing.is_sealed and manifest.read_text(encoding="utf-8") == sealing.manifest:
            return
    remove_folder(directory)
    if sealing.is_sealed:
        draft = directory.with_name(f".{directory.name}-{secrets.token_hex(4)}")
        draft.mkdir(parents=True)
        (draft / MANIFEST).write_text(sealing.manifest, encoding="utf-8")
        replace_folder(draft, directory)


def replace_folder(draft: Path, directory: Path) -> None:
    """Rename a folder; one that another process has created meanwhile is replaced."""
    while True:
        remove_folder(directory)
        try:
            draft.rename(directory)
        except OSError:
            if not directory.is_dir():
                raise
        else:
            return


def remove_folder(folder: Path) -> None:
    """Delete a local folder under another name, so that no part of it is taken for the whole."""
    with suppress(FileNotFoundError):
        shutil.rmtree(
            folder.rename(folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.deleting")), ignore_errors=True
        )


def _link_steps(root: Path, folder: Path) -> None:
    with suppress(IntegrityError):
        record = read_record(folder)
        store, runs = Store(root), Runs(root)
        for step in record.steps:
            runs.link(record, step.component, store.directory(step.component, step.fingerprint))

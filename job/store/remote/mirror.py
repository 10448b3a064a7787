"""Local copies of small objects, as the files and links of a local root."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from components.base.errors import IntegrityError
from components.io.atomic import replace_link, write_atomically
from components.object_storage import Content
from job.store.manifest import MANIFEST
from job.store.remote.sealing import SUFFIX, Sealing
from job.store.runs import LATEST, RECORD, Runs, read_record
from job.store.store import Store


def apply(root: Path, key: str, content: Content) -> None:
    """Write the local copy of an object below the folder of a root, with the time of the object."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    if key == f"runs/{LATEST}":
        replace_link(path, Path(content.data.decode(errors="replace").strip()))
        return
    write_atomically(path, content.data)
    times = (content.modified.timestamp(),) * 2
    os.utime(path, times)
    if key.startswith("runs/") and path.name == RECORD:
        _link_steps(root, path.parent)
    elif key.startswith("artifacts/") and key.endswith(SUFFIX):
        with suppress(IntegrityError):  # the look-up of the artifact reports it
            apply_sealing(Sealing.from_bytes(content.data, where=key), path.with_suffix(""), times)


def apply_sealing(sealing: Sealing, directory: Path, times: tuple[float, float] | None = None) -> None:
    """Make the folder of an artifact that of its sealing object: with its manifest, and only files of this attempt."""
    manifest = directory / MANIFEST
    with suppress(OSError):
        if sealing.is_sealed and manifest.read_text(encoding="utf-8") == sealing.manifest:
            return
    remove_folder(directory)
    if sealing.is_sealed:
        draft = directory.with_name(f".{directory.name}-{sealing.write}")
        draft.mkdir(parents=True)
        (draft / MANIFEST).write_text(sealing.manifest, encoding="utf-8")
        if times is not None:
            os.utime(draft, times)
        draft.rename(directory)


def forget(root: Path, key: str) -> None:
    """Delete the local copy of an object that is gone."""
    path = root / key
    with suppress(OSError):
        path.unlink()
    if path.name == RECORD:
        remove_folder(path.parent)
    elif key.startswith("artifacts/") and key.endswith(SUFFIX):
        remove_folder(path.with_suffix(""))


def remove_folder(folder: Path) -> None:
    """Delete a local folder under another name, so that no part of it is taken for the whole."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}.deleting")), ignore_errors=True)


def _link_steps(root: Path, folder: Path) -> None:
    with suppress(IntegrityError):
        record = read_record(folder)
        store, runs = Store(root), Runs(root)
        for step in record.steps:
            runs.link(record, step.component, store.directory(step.component, step.fingerprint))

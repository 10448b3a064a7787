"""Find the objects that a URL names: one object, or all below it."""

from dataclasses import dataclass
from itertools import chain

from components.base.errors import DataError
from components.object_storage.objects import ObjectInfo, Objects
from components.object_storage.open import open_objects
from components.object_storage.parallel import in_parallel
from components.object_storage.url import ObjectUrl

MAX_NAME_BYTES = 255
"""Limit of Linux for the name of a file."""


@dataclass(frozen=True)
class FoundObjects:
    """The objects that a URL names."""

    url: ObjectUrl
    objects: Objects
    """Those of the folder; of one object, those of the folder above it."""
    infos: dict[str, ObjectInfo]
    """By key. No key is a folder of another one, or cannot be a path on this machine."""
    folders: frozenset[str]
    """The folders of the keys, and those that are empty, without a slash at the end."""
    is_folder: bool


def find_objects(url: ObjectUrl) -> FoundObjects:
    """Return the objects that a URL names.

    Raises:
        DataError: if there are none, or if they cannot all be files of one folder.
    """
    # For a flat folder and for a file, the first attempt succeeds: one round trip is enough.
    tries = [_find_folder, _find_object]
    if "." in url.prefix.rpartition("/")[2]:
        tries.reverse()
    for find in tries:
        if (found := find(url)) is not None:
            return found
    remedy = "correct the URL, or upload the data"
    raise DataError(f"{url} does not exist", expected="an object, or a folder of objects", remedy=remedy)


def _find_object(url: ObjectUrl) -> FoundObjects | None:
    folder, _, key = url.prefix.rpartition("/")
    if not key:
        return None
    objects = open_objects(ObjectUrl(url.scheme, url.bucket, folder))
    info = objects.info(key)
    return None if info is None else FoundObjects(url, objects, {key: info}, frozenset(), is_folder=False)


def _find_folder(url: ObjectUrl) -> FoundObjects | None:
    """List a folder, and the folders in it in parallel, because a response has at most 1,000 objects."""
    objects = open_objects(url)
    top = objects.list_folder()
    below = in_parallel(lambda folder: objects.list(f"{folder}/"), top.folders)
    infos = {info.key: info for info in chain(top.objects, *below)}
    folders = frozenset(top.folders) | {parent for key in infos for parent in _parents(key)}
    # Consoles create an empty object for a folder.
    files = {key: info for key, info in infos.items() if key and not (key in folders and not info.size)}
    for key in files:
        _check(objects.url / key, key, folders)
    return FoundObjects(url, objects, files, folders, is_folder=True) if files else None


def _parents(key: str) -> list[str]:
    """Return the folders of a key.

    >>> _parents("train/7/1.png")
    ['train', 'train/7']
    """
    parts = key.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _check(url: ObjectUrl, key: str, folders: frozenset[str]) -> None:
    """Raise DataError if an object cannot be a file beside the others."""
    if key in folders:
        problem = "is both an object and a folder of objects"
    elif max(len(part.encode()) for part in key.split("/")) > MAX_NAME_BYTES:
        problem = f"has a name of more than {MAX_NAME_BYTES} bytes"
    else:
        return
    raise DataError(f"{url} {problem}", expected="objects that can be files of one folder", remedy="rename the object")

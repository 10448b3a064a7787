"""Open a root, and its store: a local folder, or a prefix in object storage."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from components.object_storage import Location, ObjectUrl, is_object_url
from job.store.root import LocalRoot, register, root_at, root_of
from job.store.store import ARTIFACTS, Store

if TYPE_CHECKING:
    from job.store.remote.root import RemoteRoot


def open_root(location: Location) -> Path:
    """Return the folder of a root; that of a remote one has the present small files of all machines.

    Raises:
        ConfigError: if a remote root cannot be read.
        ResourceError: if its store cannot be reached.
    """
    if isinstance(location, Path):
        return location
    from job.store.remote.root import RemoteRoot, folder_of

    path = folder_of(location)
    root = _remote_at(path)
    if root is None:
        root = RemoteRoot.connect(location)
    root.refresh(path)
    register(root)  # later: until here, messages are about the folder
    return path


def open_store(root: Path) -> Store:
    """Return the store of a root that `open_root` returned."""
    if (remote := _remote_at(root)) is not None:
        from job.store.remote.store import RemoteStore

        return RemoteStore(remote)
    return Store(root)


def open_store_of(directory: Path, otherwise: Store) -> Store:
    """Return the store of the remote root that the folder of an artifact is in, or another one if it is in none."""
    root = root_of(directory)
    return otherwise if root is None else open_store(root.path)


def local_path(name: str) -> str:
    """Return the local path of a run or artifact with a URL, whose root is opened; another name stays as it is."""
    if not is_object_url(name):
        return name
    url = ObjectUrl.parse(name, where="the name")
    *parts, last = url.prefix.split("/")
    folder = next((place for place in range(len(parts) - 1, -1, -1) if parts[place] in ("runs", ARTIFACTS)), None)
    if folder is None:
        return name
    root = open_root(ObjectUrl(url.scheme, url.bucket, "/".join(parts[:folder])))
    return str(root.joinpath(*parts[folder:], last))


def _remote_at(path: Path) -> "RemoteRoot | None":
    root = root_at(path)
    return None if isinstance(root, LocalRoot) else cast("RemoteRoot", root)

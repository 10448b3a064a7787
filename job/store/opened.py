"""Open a root, and its store: a local folder, or a prefix in object storage."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from components.object_storage import Location
from job.store.root import LocalRoot, register, root_at
from job.store.store import Store

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
        register(root)
    root.refresh(path)
    return path


def open_store(root: Path) -> Store:
    """Return the store of a root that `open_root` returned."""
    if (remote := _remote_at(root)) is not None:
        from job.store.remote.store import RemoteStore

        return RemoteStore(remote)
    return Store(root)


def _remote_at(path: Path) -> "RemoteRoot | None":
    root = root_at(path)
    return None if isinstance(root, LocalRoot) else cast("RemoteRoot", root)

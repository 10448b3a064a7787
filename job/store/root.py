"""Roots: a local folder, or a prefix in object storage that is used through a local folder of the same layout.

Everything that is written below a root goes through its `Root`, so that other machines can read it: `LocalRoot`
has nothing to do, `RemoteRoot` of job/store/remote uploads it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from components.base.addresses import copied_folder, show_as
from components.runtime.locks import UNKNOWN_OWNER, HeldLock, acquire, is_held, try_acquire
from job.store.measure import Measured, measure


class Root(Protocol):
    """The root that a local folder belongs to."""

    @property
    def path(self) -> Path:
        """The local folder."""

    def acquire(
        self,
        path: Path,
        *,
        owner: str = UNKNOWN_OWNER,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> AbstractContextManager[HeldLock]:
        """Return a block in which no other process has a lock, on any machine; see `components.runtime.locks`."""

    def try_acquire(self, path: Path) -> AbstractContextManager[bool]:
        """Return a block that has a lock if no other process has it; its value is whether that is so."""

    def is_held(self, path: Path) -> bool:
        """Return whether a process has a lock."""

    def wrote(self, path: Path) -> None:
        """Called after a small file, or a link to another file of its folder, was written atomically."""

    def removed(self, path: Path) -> None:
        """Called after a file or folder was deleted."""

    def fetch(self, path: Path) -> None:
        """Make a small file local if it exists, such as the report of a run."""

    def refresh(self, folder: Path) -> None:
        """Make changes of other machines to small files of a folder local."""

    def measure_each(self, folder: Path, names: Iterable[str]) -> Iterator[tuple[Path, Measured]]:
        """Yield path, size and age of some folders in a folder; those that were deleted meanwhile are skipped."""

    def flush(self) -> None:
        """Wait until everything that was written can be read by others; raise JobError if that fails."""

    def address(self, path: Path) -> str:
        """Return the path of a file or folder, as messages and records contain it.

        Object storage has no links: there, the address of a link is that of its target.
        """

    def location(self, path: Path) -> str:
        """Return where a small file can be read: its address, or its local path if it was not uploaded."""


class LocalRoot:
    """A local folder: every process reads and writes it itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    acquire = staticmethod(acquire)
    try_acquire = staticmethod(try_acquire)
    is_held = staticmethod(is_held)

    def wrote(self, path: Path) -> None: ...

    def removed(self, path: Path) -> None: ...

    def fetch(self, path: Path) -> None: ...

    def refresh(self, folder: Path) -> None: ...

    def measure_each(self, folder: Path, names: Iterable[str]) -> Iterator[tuple[Path, Measured]]:
        paths = (folder / name for name in names)
        return ((path, measured) for path in paths if (measured := measure(path)) is not None)

    def flush(self) -> None: ...

    def address(self, path: Path) -> str:
        return str(path)

    def location(self, path: Path) -> str:
        return str(path)


_remote: dict[Path, Root] = {}
"""The remote roots that this process has opened, by their local folder."""


def root_at(path: Path) -> Root:
    """Return the root with a local folder."""
    return _remote.get(path) or LocalRoot(path)


def register(root: Root) -> None:
    """Make a remote root the one of its local folder, in this process."""
    _remote[root.path] = root
    show_as(root.path, root.address(root.path))


def root_of(path: Path) -> Root | None:
    """Return the remote root whose local folder a path is in; None if it is in none, such as a copied data set."""
    folder = copied_folder(path)
    return None if folder is None else _remote.get(folder)


def address(path: Path) -> str:
    """Return the path of a file or folder, as messages and records contain it: a URL if it is below a remote root."""
    root = root_of(path)
    return str(path) if root is None else root.address(path)


def location(path: Path) -> str:
    """Return where a small file can be read: its address, or its local path if it was not uploaded."""
    root = root_of(path)
    return str(path) if root is None else root.location(path)

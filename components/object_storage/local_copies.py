"""Files of a path or URL for code that reads local files: in place, or as a copy of the objects below the URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from components.object_storage.local_files import LocalFiles
from components.object_storage.url import ObjectUrl

if TYPE_CHECKING:
    from components.object_storage.local_copy import LocalCopy
    from components.object_storage.location import Location


class _Copies:
    """The copies that a block uses."""

    def __init__(self) -> None:
        self._copies: dict[ObjectUrl, LocalCopy] = {}
        self._stack = ExitStack()

    def open(self, url: ObjectUrl) -> LocalCopy:
        """Return the copy of a URL."""
        if url not in self._copies:
            from components.object_storage.local_copy import open_copy

            self._copies[url] = self._stack.enter_context(open_copy(url))
        return self._copies[url]

    def close(self) -> None:
        """Allow other processes to evict the copies."""
        self._stack.close()


_current: ContextVar[_Copies | None] = ContextVar("copies", default=None)


@contextmanager
def local_copies() -> Iterator[None]:
    """Use one state of each copy in a block: the store is listed once, and the cache keeps the files until the end."""
    if _current.get() is not None:
        yield
        return
    copies = _Copies()
    token = _current.set(copies)
    try:
        yield
    finally:
        _current.reset(token)
        copies.close()


def open_local(location: Location) -> LocalFiles:
    """Return the files of a path or URL. A URL needs a block of `local_copies`.

    Raises:
        DataError: if the URL has no objects.
    """
    if isinstance(location, Path):
        return LocalFiles(location)
    copies = _current.get()
    if copies is None:
        raise RuntimeError("open_local is called outside a block of local_copies")
    return copies.open(location)

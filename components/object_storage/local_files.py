"""A file or folder on this machine; the base class of the copies of objects."""

from collections.abc import Iterable
from pathlib import Path


class LocalFiles:
    """A file or folder on this machine.

    Args:
        path: its path. Below it are the names of all files; read a file only after `fetch`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fetch(self, files: Iterable[Path]) -> None:
        """Download files at or below `path` that are not on this machine yet, or whose objects have changed."""

"""One download, which continues where its connection broke."""

import hashlib
from collections.abc import Callable
from io import BufferedWriter
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import GenericError, PreconditionError

from components.object_storage.errors import check_bucket
from components.object_storage.objects import OnBytes
from components.runtime.disk import disk_space_guard

CHUNK_BYTES = 1024**2
"""Maximum that a broken connection loses."""


class Download:
    """A download of an object to a file.

    Args:
        store: returns the present store of obstore, whose credentials may change.
        on_progress: called with each part.
    """

    def __init__(
        self,
        store: Callable[[], Any],
        key: str,
        file: BufferedWriter,
        on_bytes: OnBytes,
        on_progress: Callable[[], None],
    ) -> None:
        self._store, self._key, self._file, self._on_bytes, self._on_progress = store, key, file, on_bytes, on_progress
        self._written, self._tag, self._digest = 0, "", hashlib.sha256()

    def run(self) -> str | None:
        """Return the SHA-256 of the object after writing it, or None if it does not exist. May be called again."""
        options: Any = {"range": {"offset": self._written}, "if_match": self._tag} if self._written else None
        try:
            result = obstore.get(self._store(), self._key, options=options)
        except FileNotFoundError as error:
            check_bucket(error)
            return None
        except PreconditionError:  # another object since the first part
            self.reset()
            raise
        size, self._tag = result.meta["size"], str(result.meta["e_tag"])
        with disk_space_guard(Path(self._file.name).parent, size, f"the download of {self._key}"):
            for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                self._file.write(chunk)
                self._digest.update(chunk)
                self._written += len(chunk)
                self._on_bytes(len(chunk))
                self._on_progress()
            self._file.flush()
        if self._written != size:
            raise GenericError("HTTP error: the body has another size")
        return self._digest.hexdigest()

    def reset(self) -> None:
        """Begin again."""
        self._on_bytes(-self._written)
        self._file.seek(0)
        self._file.truncate()
        self._written, self._digest = 0, hashlib.sha256()

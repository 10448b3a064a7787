"""Uploads of small files, such as `run.json`, in the background."""

import threading
from collections.abc import Callable

from components.base.errors import JobError, ResourceError, first_line
from components.object_storage import Objects


class Uploads:
    """Uploads small objects in one thread. A later content of the same key replaces one that waits."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._waiting: dict[str, bytes] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._error: JobError | None = None

    def put(self, key: str, data: bytes) -> None:
        """Upload an object soon; a failure is raised by `flush`."""
        with self._changed:
            self._waiting[key] = data
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all uploads are done; raise the error of the first that failed."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._waiting or self._is_busy))
            error, self._error = self._error, None
        if error is not None:
            raise error

    def pending(self) -> set[str]:
        """Return the keys whose content is newer here than in the store."""
        with self._changed:
            return {*self._waiting}

    def _work(self) -> None:
        while True:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting))
                key = next(iter(self._waiting))
                data = self._waiting.pop(key)
                self._is_busy = True
            self._attempt(lambda key=key, data=data: self._objects.upload(data, key))  # type: ignore[misc]

    def _attempt(self, upload: Callable[[], None]) -> None:
        try:
            upload()
        except JobError as error:
            self._error = self._error or error
        except Exception as error:
            self._error = self._error or ResourceError(f"an upload failed: {first_line(error)}")

"""Uploads of small files, such as `run.json`, in the background."""

import atexit
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from components.base.errors import JobError, ResourceError, first_line
from components.object_storage import Objects
from components.object_storage.deadline import seconds_left

THREADS = 4
TICK_SECONDS = 0.5
EXIT_SECONDS, HASTY_EXIT_SECONDS = 10.0, 2.0
"""Time for the uploads of a process that ends without `flush`; after a `flush` without a response of the store."""


class Uploads:
    """Uploads small objects in threads. A later content of the same key replaces one that waits.

    Args:
        seconds: after which `flush` gives up; earlier if all requests must have ended.
        on_uploaded: called with the key of each uploaded object, in a thread.
    """

    def __init__(
        self, objects: Objects, *, seconds: float, on_uploaded: Callable[[str], None] = lambda _: None
    ) -> None:
        self._objects = objects
        self._seconds = seconds
        self._on_uploaded = on_uploaded
        self._waiting: dict[str, Callable[[], None]] = {}
        self._pointers: set[str] = set()
        self._busy: set[str] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._error: JobError | None = None
        self._failed: set[str] = set()
        self._exit_seconds = EXIT_SECONDS

    def put(self, key: str, data: bytes, *, after_others: bool = False) -> None:
        """Upload an object soon; a failure is raised by `flush`.

        Args:
            after_others: whether it refers to objects that are to be uploaded before.
        """

        def upload() -> None:
            self._objects.upload(data, key)
            self._on_uploaded(key)

        self._add(key, upload, after_others=after_others)

    def delete(self, key: str) -> None:
        """Delete an object soon; a failure is raised by `flush`."""
        self._add(key, lambda: self._objects.delete([key]))

    def _add(self, key: str, action: Callable[[], None], *, after_others: bool = False) -> None:
        with self._changed:
            self._waiting.pop(key, None)  # to the end
            self._waiting[key] = action
            if after_others:
                self._pointers.add(key)
            if not self._threads:
                atexit.register(self._flush_at_exit)
            if len(self._threads) < THREADS:
                self._threads.append(threading.Thread(target=self._work, name="uploads", daemon=True))
                self._threads[-1].start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all uploads are done; raise the error of the first that failed."""
        with self._changed:
            is_done = self._wait(self._seconds)
            error, self._error = self._error, None
            if not is_done or isinstance(error, ResourceError):
                self._exit_seconds = min(HASTY_EXIT_SECONDS, seconds_left())
        if error is not None:
            raise error
        if not is_done:
            raise ResourceError(
                f"records of the job were not uploaded to {self._objects.url} in time",
                expected="a store that responds",
                remedy="check the network, and run the same command again",
            )

    def pending(self, key: str) -> bool:
        """Return whether the content of a key is newer here than in the store."""
        with self._changed:
            return self._is_pending(key)

    def is_missing(self, key: str) -> bool:
        """Return whether the last content of a key is not in the store, or not yet."""
        with self._changed:
            return key in self._failed or self._is_pending(key)

    def _is_pending(self, key: str) -> bool:
        return key in self._waiting or key in self._busy

    def discard(self, key: str) -> None:
        """Forget the uploads of a key, or of those below a folder, and wait for those that have begun."""

        def is_below(other: str) -> bool:
            return other == key or other.startswith(f"{key}/")

        with self._changed:
            for other in [*filter(is_below, self._waiting)]:
                del self._waiting[other]
            self._changed.wait_for(lambda: not any(map(is_below, self._busy)), self._seconds)

    def _wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self._waiting or self._busy:
            left = min(end - time.monotonic(), seconds_left())
            if left <= 0:
                return False
            self._changed.wait(min(TICK_SECONDS, left))
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next() is not None)
                key = self._next()
                assert key is not None  # noqa: S101
                action = self._waiting.pop(key)
                self._busy.add(key)
            error = self._attempt(action)
            with self._changed:
                self._error = self._error or error
                (self._failed.discard if error is None else self._failed.add)(key)
                self._busy.discard(key)
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Return the key to upload now: two contents of one key never at once, a pointer after all others."""
        for key in self._waiting:
            if key in self._pointers:
                return None if self._busy else key
            if key not in self._busy:
                return key
        return None

    def _attempt(self, action: Callable[[], None]) -> JobError | None:
        """Return the error of an upload."""
        try:
            action()
        except JobError as error:
            return error
        except Exception as error:
            return ResourceError(f"an upload failed: {first_line(error)}")
        return None

    def _flush_at_exit(self) -> None:
        with suppress(Exception), self._changed:
            self._wait(self._exit_seconds)
            if self._error is not None:
                print(f"warning: {self._error.headline}", file=sys.stderr)

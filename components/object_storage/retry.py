"""Attempts of a request, with back-off, within the limits of the settings."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from obstore.exceptions import BaseError

from components.object_storage.deadline import seconds_left
from components.object_storage.errors import Failure
from components.object_storage.settings import StorageSettings

FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 5.0

T = TypeVar("T")


class Attempts:
    """The attempts of one request.

    object_store retries responses such as 503, and lost responses to requests that may be repeated. This class retries
    what it does not: conditional writes and deletions whose response is lost, conflicts, broken lists and downloads,
    and rejected credentials.

    Args:
        renew: reads the credentials again after they were rejected; returns whether they may be others now.
        max_renewals: maximum number of renewals.
        timeouts: number of timeouts without progress after which there is no other attempt.
    """

    def __init__(
        self, settings: StorageSettings, *, renew: Callable[[], bool], max_renewals: int, timeouts: int = 1
    ) -> None:
        self._seconds = settings.timeout * timeouts
        self._settings, self._renew, self._max_renewals = settings, renew, max_renewals
        self._renewals = self._count = 0
        self.extend()

    def extend(self) -> None:
        """Begin to measure the time again: a transfer made progress."""
        self._deadline = time.monotonic() + self._seconds

    @property
    def are_over(self) -> bool:
        """Whether there is no time for another request."""
        return time.monotonic() > self._deadline or seconds_left() == 0

    def run(self, request: Callable[[], T]) -> T | Failure:
        """Return what a request returns, or why its last attempt failed."""
        while True:
            try:
                return request()
            except (BaseError, FileNotFoundError) as error:
                if isinstance(error, FileNotFoundError) and error.errno is not None:  # a local file
                    raise
                failure = Failure.of(error)
            if not self._wait(failure):
                return failure

    def _wait(self, failure: Failure) -> bool:
        """Wait until the next attempt, and return True; return False if there is none."""
        if failure.is_unauthorized:
            if self._renewals >= self._max_renewals or not self._renew():
                return False
            self._renewals += 1
        elif not failure.is_transient or failure.is_retried:
            return False
        delay = min(FIRST_DELAY_SECONDS * 2**self._count, MAX_DELAY_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311
        end = min(self._deadline, time.monotonic() + seconds_left())
        if self._count >= self._settings.retries or time.monotonic() + delay > end:
            return False
        self._count += 1
        time.sleep(delay)
        return True

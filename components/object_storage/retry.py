"""Attempts of a request, with back-off, within the limits of the settings."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from obstore.exceptions import BaseError

from components.object_storage.errors import Failure
from components.object_storage.settings import StorageSettings

FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 5.0

T = TypeVar("T")


class Attempts:
    """The attempts of one request.

    object_store retries responses such as 503, and requests that change nothing. This class retries what it does not:
    conditional writes and deletions whose response is lost, conflicts, broken lists, and rejected credentials.
    """

    def __init__(self, settings: StorageSettings, renew: Callable[[], bool]) -> None:
        """Args:
        renew: called once when the credentials are rejected; returns whether there are new ones.
        """
        self._settings = settings
        self._renew = renew
        self.restart()
        self._renewed = False

    def restart(self) -> None:
        """Begin to count again: the request made progress."""
        self._count = 0
        self._deadline = time.monotonic() + self._settings.timeout

    def wait(self, failure: Failure) -> bool:
        """Wait until the next attempt, and return True; return False if there is none."""
        if failure.is_unauthorized and not self._renewed:
            self._renewed = True
            return self._renew()
        if not failure.is_passing or failure.is_retried or self._count >= self._settings.retries:
            return False
        delay = min(FIRST_DELAY_SECONDS * 2**self._count, MAX_DELAY_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311
        if time.monotonic() + delay > self._deadline:
            return False
        self._count += 1
        time.sleep(delay)
        return True

    def run(self, request: Callable[[], T]) -> T | Failure:
        """Return what a request returns, or why its last attempt failed."""
        while True:
            try:
                return request()
            except (BaseError, FileNotFoundError) as error:
                failure = Failure.of(error)
            if not self.wait(failure):
                return failure

"""The clock of an object store, with which the times of its objects can be compared."""

import time
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError

from components.object_storage.deadline import seconds_left
from components.object_storage.objects import Objects

MAX_AGE_SECONDS = 600.0
"""After this time the clock is read again: clocks drift."""
TIMEOUT_SECONDS = 10.0


class StoreClock:
    """The present time of an object store. It does not depend on the clock of this machine."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._read_at: float | None = None
        self._time = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time of the store, to a second; it is read at most every ten minutes.

        Raises:
            OSError: if the store cannot be reached.
        """
        if self._read_at is None or time.monotonic() - self._read_at > MAX_AGE_SECONDS:
            self._time, self._read_at = read_time(self._objects.address()), time.monotonic()
        return self._time + timedelta(seconds=time.monotonic() - self._read_at)


def read_time(address: str) -> datetime:
    """Return the time in a response to HEAD; the request has no credentials, because an error has the time, too.

    Raises:
        OSError: if there is no response, or it has no time.
    """
    if not (timeout := min(TIMEOUT_SECONDS, seconds_left())):
        raise TimeoutError("the job has to end")
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310  (the address of the store)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            date = response.headers["Date"]
    except HTTPError as error:
        error.close()
        date = error.headers["Date"]
    try:
        return parsedate_to_datetime(date)
    except (TypeError, ValueError):
        raise OSError("the response of the store has no time") from None

"""When the process has to end, no request is waited for any longer, and none begins."""

import math
import time
from threading import Event

import pytest

from components.base.errors import ResourceError
from components.object_storage.deadline import requests_end_by, seconds_left
from components.object_storage.threads import run_in_threads, run_interruptibly


def test_the_earliest_deadline_counts() -> None:
    assert seconds_left() == math.inf
    now = time.monotonic()
    with requests_end_by(lambda: now + 1000), requests_end_by(lambda: math.inf):
        assert 0 < seconds_left() <= 1000
        with requests_end_by(lambda: now - 1):
            assert seconds_left() == 0
    assert seconds_left() == math.inf


def test_the_wait_for_a_request_ends_at_the_deadline() -> None:
    responded, end = Event(), time.monotonic() + 0.2

    def wait() -> None:
        responded.wait(3600)

    with requests_end_by(lambda: end):
        with pytest.raises(ResourceError, match="before the job has to end"):
            run_interruptibly(wait)
        with pytest.raises(ResourceError, match="before the job has to end"):
            run_in_threads([wait] * 3, threads=2)
    responded.set()


def test_no_request_begins_after_the_deadline() -> None:
    begun: list[int] = []
    with requests_end_by(lambda: 0.0), pytest.raises(ResourceError, match="before the job has to end"):
        run_interruptibly(lambda: begun.append(1))
    assert not begun

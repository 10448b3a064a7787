"""A tracker records a run in a tool, in a thread of its own: a slow or broken tool cannot delay or fail the run."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any, Protocol

from components.base.errors import one_line
from components.base.text import MESSAGE_LIMIT, printable
from job.store.records import RunRecord, StepRecord
from job.store.sealed import SealedArtifact

QUEUE_SIZE = 10_000
"""Calls that may wait for a tracker; each holds the metrics of an epoch, or a record of a few kB."""


class Tracker(Protocol):
    """Records one run in a tool.

    The constructor runs in the main thread: it imports the tool's library and connects to nothing. All methods run
    in a thread of the tracker, where they may block or raise.
    """

    @property
    def location(self) -> str:
        """Where to find the run in the tool, without a password."""

    def begin(self, record: RunRecord) -> None:
        """Called when a run begins, with its id, configuration and environment.

        If it continues an interrupted run, it receives all epochs again, and completes what the tool has.
        """

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Called once per epoch (from 1), in order; for epochs of earlier attempts or of a reused model, afterwards."""

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        """Called when a step is done, with its artifact."""

    def end(self, record: RunRecord, directory: Path) -> None:
        """Called last, with the outcome of the run and the folder of its record and report."""

    def abort(self, reason: str) -> None:
        """Called instead of further methods after one failed, so that the tool can mark the run as incomplete."""


class BackgroundTracker:
    """Calls a tracker's methods in order, in a daemon thread that does not keep the process alive.

    After a failure the tracker's `abort` is called and all further calls are dropped.

    Attributes:
        location: where to find the run in the tool.
        error: why the tracker stopped, without passwords; None while it works.
    """

    def __init__(self, name: str, tracker: Tracker, *, queue_size: int = QUEUE_SIZE) -> None:
        self.name = name
        self.location = tracker.location
        self.error: str | None = None
        self._tracker = tracker
        self._calls: Queue[Callable[[Tracker], None] | None] = Queue(queue_size)
        # A daemon, because Python waits for every other thread before it exits.
        self._thread = Thread(target=self._work, name=f"tracking.{name}", daemon=True)
        self._thread.start()
        self.is_busy, self.join = self._thread.is_alive, self._thread.join

    def submit(self, call: Callable[[Tracker], None] | None) -> None:
        """Queue a call and return at once; None is the last one."""
        if self.error is not None:
            return
        try:
            self._calls.put_nowait(call)
        except Full:
            self.stop(f"{self._calls.maxsize:,} updates are waiting")

    def stop(self, reason: str) -> None:
        """Drop all further calls; the one in progress cannot be interrupted."""
        self.error = self.error or reason

    def _work(self) -> None:
        try:
            while self.error is None and (call := self._calls.get()) is not None:
                call(self._tracker)
        except BaseException as error:  # a library may even call sys.exit
            self.stop(printable(one_line(error), limit=MESSAGE_LIMIT))
        if self.error is not None:
            with suppress(BaseException):
                self._tracker.abort(self.error)


def tracked_name(record: RunRecord) -> str:
    """Return the name of a run in the tools: it ends with the id of the first attempt, which makes it unique."""
    run_id = record.continues or record.run_id
    return run_id if record.name is None else f"{record.name}-{run_id}"


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with keys as in `--set`; a list becomes JSON.

    >>> flatten({"seed": 0, "trainer": {"epochs": 3, "network": {"filters": [16, 32]}}})
    {'seed': 0, 'trainer.epochs': 3, 'trainer.network.filters': '[16, 32]'}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, dict | list | tuple) else value
    return flat


def parameters(config: dict[str, Any]) -> dict[str, Any]:
    """Return a resolved configuration as flat parameters, without the section `tracking`, which affects no result."""
    return flatten({key: value for key, value in config.items() if key != "tracking"})

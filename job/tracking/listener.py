"""The trackers that a configuration turns on, and the listener that passes a run on to them."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from components.artifacts import Epoch, Model
from components.base.errors import ConfigError, one_line
from components.base.termination import Termination
from components.base.text import MESSAGE_LIMIT, printable
from components.runtime.libraries import missing_modules
from job.config.tracking import MlflowConfig, TensorBoardConfig, TrackingConfig
from job.reporters.listener import RunListener
from job.store.records import RunRecord, StepRecord
from job.store.root import root_of
from job.store.sealed import SealedArtifact
from job.tracking.tracker import QUEUE_SIZE, BackgroundTracker, Tracker, tracked_name

MODULES = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}
"""Modules that each tracker imports; the extra of the same name installs them."""
POLL_SECONDS = 0.1
"""Interval at which waiting for trackers checks for a termination request."""

TrackerFactory = Callable[[str], Tracker]
"""Creates the tracker of the run with a given name."""


def tracker_factories(config: TrackingConfig, root: Path) -> dict[str, TrackerFactory]:
    """Return by name a factory per tool that is on, which imports its library; raise ConfigError without its extra."""
    factories: dict[str, TrackerFactory] = {}
    for name, section in (("tensorboard", config.tensorboard), ("mlflow", config.mlflow)):
        if section is None:
            continue
        if missing := missing_modules(MODULES[name]):
            raise ConfigError(
                f"tracking.{name} is on, but {missing[0]} is not installed",
                expected=f"the extra `{name}`",
                remedy=f"run `make extras` or `pip install -e '.[{name}]'`, or remove tracking.{name}",
            )
        if isinstance(section, MlflowConfig) and root_of(root) is not None:
            from job.tracking.mlflow_client import store_uri

            store_uri(section.uri, root)  # before any work
        factories[name] = partial(_make_tracker, section, root)
    return factories


def _make_tracker(config: TensorBoardConfig | MlflowConfig, root: Path, name: str) -> Tracker:
    if isinstance(config, TensorBoardConfig):
        from job.tracking.tensorboard_tracker import TensorBoardTracker

        return TensorBoardTracker(config, root, name)
    from job.tracking.mlflow_tracker import MlflowTracker

    return MlflowTracker(config, root, name)


class TrackingListener:
    """A RunListener that forwards each call to a reporter, and to trackers in their threads.

    Only `finish` waits for the trackers. A tracker that fails causes one warning, reported in the thread of the run.

    Each epoch reaches the trackers once, in order: those of earlier attempts before training resumes, the others as
    they end, and when the step ends, those of the model's history that are still missing (all of a reused model).

    Args:
        factories: by the name of the tool; called when the run begins.
        wait_seconds: limit of `finish`, for all trackers together.
        hurried_wait_seconds: limit from the moment in which termination is requested (a batch runner kills the job
            seconds later), or in which all trackers have failed.
        quiet_seconds: wait before a message explains it.
    """

    def __init__(
        self,
        reporter: RunListener,
        factories: Mapping[str, TrackerFactory],
        termination: Termination,
        *,
        queue_size: int = QUEUE_SIZE,
        wait_seconds: float = 20.0,
        hurried_wait_seconds: float = 3.0,
        quiet_seconds: float = 2.0,
    ) -> None:
        self._reporter, self._factories, self._termination = reporter, factories, termination
        self._queue_size = queue_size
        self._wait_seconds, self._hurried_wait_seconds = wait_seconds, hurried_wait_seconds
        self._quiet_seconds = quiet_seconds
        self._trackers: list[BackgroundTracker] = []
        self._not_created: list[str] = []
        self._warned: set[str] = set()
        self._epoch = 0
        self._epochs_sent = 0
        # What concerns the reporter alone.
        self.waiting, self.begin_step, self.begin_part = reporter.waiting, reporter.begin_step, reporter.begin_part
        self.training_step, self.end, self.failed = reporter.training_step, reporter.end, reporter.failed

    @property
    def is_on(self) -> bool:
        """Whether the configuration turns a tracker on."""
        return bool(self._factories)

    @property
    def locations(self) -> dict[str, str]:
        """Where to find the run, by the name of the tool, and whether it is incomplete there."""
        return dict.fromkeys(self._not_created, "not tracked") | {
            tracker.name: tracker.location + ("" if tracker.error is None else " (incomplete)")
            for tracker in self._trackers
        }

    def message(self, text: str) -> None:
        self._reporter.message(printable(text, limit=MESSAGE_LIMIT))

    def warning(self, text: str) -> None:
        self._reporter.warning(printable(text, limit=MESSAGE_LIMIT))

    def begin(self, record: RunRecord, directory: Path) -> None:
        self._reporter.begin(record, directory)
        tracked = tracked_name(record)
        for name, create in self._factories.items():
            try:
                tracker = BackgroundTracker(name, create(tracked), queue_size=self._queue_size)
            except Exception as error:  # a broken installation, or a configuration that the tool refuses
                self._not_created.append(name)
                self._warn(name, one_line(error))
            else:
                self._trackers.append(tracker)
        self._submit(lambda tracker: tracker.begin(record))

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:
        self._reporter.resumed(epoch=epoch, step=step, history=history)
        self._send_history(history)

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self._epoch = epoch
        self._reporter.epoch_begin(epoch=epoch, epochs=epochs, steps=steps)

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._reporter.epoch_end(metrics=metrics)
        self._send_epoch(self._epoch, metrics)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._reporter.end_step(step, sealed)
        if isinstance(model := sealed.manifest.artifact, Model):
            self._send_history(model.history)
        self._submit(lambda tracker: tracker.end_step(step, sealed))

    def finish(self, record: RunRecord, directory: Path) -> None:
        """Send the outcome to the trackers and wait for them, for a bounded time; call it before `end`."""
        self._submit(lambda tracker: tracker.end(record, directory))
        self._submit(None)
        waited_seconds = self._wait()
        for tracker in self._trackers:
            if tracker.is_busy():
                tracker.stop(f"it did not finish within {waited_seconds:.0f} s")
        self._warn_of_failures()

    def silence(self) -> None:
        """Report no more failures of trackers, because that of the run explains them."""
        self._warned.update(self._factories)

    def _send_history(self, history: Sequence[Epoch]) -> None:
        for epoch in history:
            self._send_epoch(epoch.epoch, epoch.model_dump(exclude={"epoch"}))

    def _send_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch != self._epochs_sent + 1:  # one that is ahead of its predecessors follows with the history
            return
        self._epochs_sent = epoch
        metrics = dict(metrics)
        self._submit(lambda tracker: tracker.end_epoch(epoch, metrics))

    def _submit(self, call: Callable[[Tracker], None] | None) -> None:
        for tracker in self._trackers:
            tracker.submit(call)
        self._warn_of_failures()

    def _wait(self) -> float:
        started = now = time.monotonic()
        deadline, hurried, announced = started + self._wait_seconds, False, False
        while (busy := [tracker for tracker in self._trackers if tracker.is_busy()]) and now < deadline:
            working = [tracker.name for tracker in busy if tracker.error is None]
            if not hurried and (self._termination.requested or not working):
                deadline, hurried = min(deadline, now + self._hurried_wait_seconds), True
            if working and not announced and now - started > self._quiet_seconds:
                names = " and ".join(working)
                self._reporter.message(f"waiting for {names} to record the run, at most {deadline - now:.0f} s")
                announced = True
            busy[0].join(max(0.0, min(POLL_SECONDS, deadline - now)))
            now = time.monotonic()
        return now - started

    def _warn_of_failures(self) -> None:
        for tracker in self._trackers:
            if tracker.error is not None and tracker.name not in self._warned:
                self._warn(tracker.name, tracker.error)

    def _warn(self, name: str, reason: str) -> None:
        self._warned.add(name)
        self.warning(
            f"{name} stopped tracking; the run is not affected: {reason}; "
            f"fix this before the next run, or remove tracking.{name}"
        )

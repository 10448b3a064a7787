"""The run of worker 0, which another worker reads from the root that all workers share."""

import time

from components.base.cluster import Cluster
from components.base.errors import ConfigError, DataError, ExitCode, JobError, ResourceError
from job.store.records import ClusterRecord, RunRecord
from job.store.runs import Runs

POLL_SECONDS = 5.0
SILENT_SECONDS = 10.0
"""A run whose lock is free for this time has ended. A run acquires its lock shortly after it writes its record."""
MAX_RUNS_SEARCHED = 100
"""Number of the newest runs among which a worker searches that of worker 0 when it begins."""
PERMANENT_ERRORS: dict[int | None, type[JobError]] = {ExitCode.USAGE: ConfigError, ExitCode.BAD_DATA: DataError}
"""Errors of worker 0 that also end the other workers, because a batch runner does not retry them."""
OUTCOME_VERBS = {"terminated": "was terminated", "not_blessed": "was not blessed", "paused": "was paused"}
"""Verbs for the outcomes of a run whose names are not verbs in the past tense."""


class ChiefRun:
    """The newest run with the same workers that was in progress when this worker began, or that began later."""

    def __init__(self, runs: Runs, cluster: Cluster) -> None:
        self._runs, self._cluster = runs, ClusterRecord.of(cluster)
        ids = runs.ids()
        self._others = {
            *ids[:-MAX_RUNS_SEARCHED],
            *(run_id for run_id in ids[-MAX_RUNS_SEARCHED:] if not runs.is_alive(run_id)),
        }
        self._record: RunRecord | None = None
        self._alive_at = self._read_at = 0.0

    @property
    def record(self) -> RunRecord | None:
        """The record when it was last read; None if worker 0 has not begun."""
        return self._record

    def read(self) -> None:
        """Read the record again, at most every `POLL_SECONDS`."""
        if time.monotonic() - self._read_at < POLL_SECONDS:
            return
        self._runs.refresh()
        before = self._record
        for run_id in self._runs.ids():
            if run_id not in self._others:
                self._read(run_id)
        self._read_at = time.monotonic()
        if self._record is not None and (
            before is None or before.run_id != self._record.run_id or self._runs.is_alive(self._record.run_id)
        ):
            self._alive_at = self._read_at

    def _read(self, run_id: str) -> None:
        try:
            record = self._runs.read(run_id)
        except DataError:  # a record of another version of the job, or a run that is being deleted
            return
        if record.cluster == self._cluster:
            self._record = record
        else:
            self._others.add(run_id)

    @property
    def has_ended(self) -> bool:
        """Whether worker 0 had ended, or was killed, when its record was last read."""
        if self._record is None:
            return False
        return self._record.outcome != "running" or self._read_at - self._alive_at > SILENT_SECONDS

    def describe_end(self) -> str:
        """Return how worker 0 ended."""
        record = self._record
        if record is None or record.outcome == "running":
            return "it was killed"
        end = f"it {OUTCOME_VERBS.get(record.outcome, record.outcome)}"
        return f"{end}: {record.failure.headline}" if record.failure else end

    def check(self, slot: str, fingerprint: str) -> None:
        """Raise an error if worker 0 will not seal the artifact that this worker waits for.

        Raises:
            ConfigError: if worker 0 has another artifact of this step, or failed with a ConfigError.
            DataError: if worker 0 failed with a DataError.
        """
        if (record := self._record) is None:
            return
        for step in record.steps:
            if step.component == slot and step.fingerprint != fingerprint:
                raise ConfigError(
                    f"worker 0 has the {slot} {step.fingerprint[:12]}, but this worker waits for {fingerprint[:12]}",
                    expected="the same command, configuration, code, data and libraries on all workers",
                    remedy="start all workers with the same command in the same environment",
                )
        error = PERMANENT_ERRORS.get(record.exit_code)
        if error is not None and record.failure is not None:
            failure = record.failure
            raise error(f"worker 0 failed: {failure.headline}", expected=failure.expected, remedy=failure.remedy)

    def check_alive(self, slot: str, run_id: str | None) -> None:
        """Raise ResourceError if worker 0 ended before it sealed an artifact to which this worker has contributed.

        Args:
            run_id: the run of worker 0 to which this worker contributed; None if it was not found.
        """
        if (record := self._record) is None or any(step.component == slot for step in record.steps):
            return
        if self.has_ended or run_id not in (None, record.run_id):
            how = self.describe_end() if self.has_ended else f"it began again as run {record.run_id}"
            raise ResourceError(
                f"worker 0 ended before it sealed the {slot}: {how}",
                expected="workers that run until worker 0 has sealed it",
                remedy="start all workers again with the same command; training continues from its last checkpoint",
            )

"""Runs on disk: one directory per run, with its record, its report and links to its artifacts.

<root>/runs/<run id>/run.json         the RunRecord
<root>/runs/<run id>/report.html      the report
<root>/runs/<run id>/model_card.md    the model card
<root>/runs/<run id>/lock             exists while the run is in progress
<root>/runs/<run id>/<slot>           a link to the artifact of that step
<root>/runs/latest                    a link to the newest run
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.base.errors import ConfigError, IntegrityError, StorageError, first_validation_error
from components.io.atomic import replace_link, write_atomically
from components.runtime.locks import acquire, is_held, try_acquire
from job.store.file_system import ensure_writable
from job.store.records import RunRecord, StepRecord, encodable

LATEST = "latest"
RECORD = "run.json"
REPORT = "report.html"
MODEL_CARD = "model_card.md"
LOCK = "lock"


class Runs:
    """The runs below one root directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "runs"

    def prepare(self) -> None:
        """Create the folder of runs, and check that it is writable."""
        ensure_writable(self.directory)

    @contextmanager
    def continued(self, config: dict[str, Any]) -> Iterator[str | None]:
        """Yield the id of a run's first attempt, or None unless the newest run with its configuration was interrupted.

        In the block the interrupted run is alive, so that no other run continues it too.
        """
        config = encodable(config)
        newest = next((record for record in self._records(reversed(self.ids())) if record.config == config), None)
        if newest is None or not self._was_interrupted(newest):
            yield None
            return
        with try_acquire(self.path(newest.run_id) / LOCK) as free:
            yield (newest.continues or newest.run_id) if free else None

    def _was_interrupted(self, record: RunRecord) -> bool:
        # A killed process leaves its lock; it may have written its last record, but not what trackers write.
        was_killed = record.outcome == "running" or os.path.lexists(self.path(record.run_id) / LOCK)
        return (was_killed or record.outcome == "terminated") and not self.is_alive(record.run_id)

    def begin(self, *, config: dict[str, Any], environment: dict[str, Any], continues: str | None = None) -> RunRecord:
        """Create the directory of a new run, write its first record, and point `latest` to it."""
        started = datetime.now(UTC)
        while True:  # sorted by time, and unique within a millisecond
            run_id = f"{started:%Y%m%d-%H%M%S}-{started.microsecond // 1000:03}{secrets.token_hex(2)}"
            with suppress(FileExistsError):
                self.path(run_id).mkdir(parents=True)
                break
        record = RunRecord(
            run_id=run_id,
            outcome="running",
            exit_code=None,
            started=started.replace(microsecond=0),
            config=encodable(config),
            environment=encodable(environment),
            continues=continues,
        )
        try:
            self.write(record)
            replace_link(self.directory / LATEST, Path(run_id))
        except (StorageError, OSError):
            shutil.rmtree(self.path(run_id), ignore_errors=True)
            raise
        return record

    def alive(self, record: RunRecord) -> AbstractContextManager[object]:
        """Return a block that marks the run as in progress for other processes."""
        return acquire(self.path(record.run_id) / LOCK)

    def is_alive(self, run_id: str) -> bool:
        """Return whether a run is in progress. The record of a killed run still says so, the lock does not."""
        return is_held(self.path(run_id) / LOCK)

    def path(self, run_id: str) -> Path:
        """Return the directory of a run."""
        return self.directory / run_id

    def write(self, record: RunRecord) -> None:
        """Write the record atomically; if the disk is full, raise StorageError and keep the old record."""
        write_atomically(self.path(record.run_id) / RECORD, record.to_json() + "\n", what="the record of the run")

    def write_page(self, record: RunRecord, name: str, page: str) -> Path:
        """Write `REPORT` or `MODEL_CARD` of a run as `write` writes its record; return the path."""
        path = self.path(record.run_id) / name
        write_atomically(path, page)
        return path

    def link(self, record: RunRecord, step: StepRecord) -> None:
        """Create a link to a step's artifact in the run's directory."""
        run = self.path(record.run_id)
        replace_link(run / step.component, Path(os.path.relpath(step.path, run)))

    def read(self, run_id: str = LATEST) -> RunRecord:
        """Return the record of a run, `latest` for the newest; raise IntegrityError if it is damaged."""
        path = self.path(run_id) / RECORD
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self._no_such_run(run_id) from error
        try:
            return RunRecord.model_validate_json(content)
        except ValidationError as error:
            raise IntegrityError(
                f"{path} cannot be read: {first_validation_error(error)}",
                expected="a record written by this version of the job",
                remedy="name another run",
            ) from error

    def _no_such_run(self, run_id: str) -> ConfigError:
        if not (ids := self.ids()):
            remedy = "run the job first, or name its root with --root"
            return ConfigError(f"{self.root} has no runs", expected="a root with runs", remedy=remedy)
        return ConfigError(
            f"{self.root} has no run `{run_id}`",
            expected=f"one of its {len(ids)} runs, the newest being {ids[-1]}",
            remedy="name another run, or another root with --root",
        )

    def ids(self) -> list[str]:
        """Return the ids of all runs, the newest last."""
        if not self.directory.is_dir():
            return []
        entries = (entry for entry in self.directory.iterdir() if "." not in entry.name)
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.is_symlink())

    def newest(self) -> str | None:
        """Return the id of the run that began last, even if the clock was changed; None if there is none."""
        try:
            return (self.directory / LATEST).readlink().name
        except OSError:
            return None

    def blessed(self) -> Iterator[RunRecord]:
        """Yield the records of runs with a blessed model, the newest first; damaged records are skipped."""
        return (record for record in self._records(reversed(self.ids())) if record.blessed)

    def using(self, digest: str) -> list[str]:
        """Return the ids of the runs that produced or reused an artifact, the newest last."""
        records = self._records(self.ids())
        return [record.run_id for record in records if any(step.digest == digest for step in record.steps)]

    def has_record(self, run_id: str) -> bool:
        """Return whether a run wrote its record."""
        return (self.path(run_id) / RECORD).is_file()

    def _records(self, ids: Iterator[str] | list[str]) -> Iterator[RunRecord]:
        for run_id in ids:
            with suppress(ConfigError, IntegrityError):
                yield self.read(run_id)

"""Runs: one directory each, with what was asked, what was done, and links to what came out.

<root>/runs/<run id>/run.json         the RunRecord
<root>/runs/<run id>/report.html      what the run gave, as a page
<root>/runs/<run id>/model_card.md    what is to be known of its model before it is used
<root>/runs/<run id>/lock             there while it goes on
<root>/runs/<run id>/<slot>           a link to the artifact of that step
<root>/runs/latest                    a link to the newest run
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from components.base.errors import ConfigError, IntegrityError, StorageError, first_validation_error
from components.io.atomic import replace_link, write_atomically
from components.runtime.locks import acquire, is_held
from job.store.records import RunRecord
from job.store.store import make_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job.store.records import StepRecord

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
        """Make the folder of runs, writable.

        Raises:
            ConfigError: if that cannot be.
        """
        make_writable(self.directory)

    def begin(self, *, config: dict[str, Any], environment: dict[str, Any]) -> RunRecord:
        """Make the directory of a new run, write its first record, and let `latest` lead to it.

        Raises:
            StorageError: if there is no space for that.
        """
        started = datetime.now(UTC)
        run_id = self._new_id(started)
        record = RunRecord(
            run_id=run_id,
            outcome="running",
            exit_code=None,
            started=started.replace(microsecond=0),
            config=config,
            environment=environment,
        )
        try:
            self.write(record)
            replace_link(self.directory / LATEST, Path(run_id))
        except (StorageError, OSError):
            shutil.rmtree(self.path(run_id), ignore_errors=True)
            raise
        return record

    def _new_id(self, started: datetime) -> str:
        """Make the directory of a run, and return its id.

        Ids are in the order of time, to the millisecond, and apart where runs begin in the same one.
        """
        while True:
            run_id = f"{started:%Y%m%d-%H%M%S}-{started.microsecond // 1000:03}{secrets.token_hex(2)}"
            with suppress(FileExistsError):
                self.path(run_id).mkdir(parents=True)
                return run_id

    @contextmanager
    def alive(self, record: RunRecord) -> Iterator[None]:
        """Let others see, for as long as the block runs, that a run goes on."""
        with acquire(self.path(record.run_id) / LOCK):
            yield

    def is_alive(self, run_id: str) -> bool:
        """Return whether a run goes on, whatever its record says: a killed one could not say more."""
        return is_held(self.path(run_id) / LOCK)

    def path(self, run_id: str) -> Path:
        """Return the directory of a run."""
        return self.directory / run_id

    def write(self, record: RunRecord) -> None:
        """Write the record so that a reader never sees half of it.

        Raises:
            StorageError: if there is no space for it; the one that is there stays.
        """
        write_atomically(self.path(record.run_id) / RECORD, record.to_json() + "\n", what="the record of the run")

    def write_page(self, record: RunRecord, name: str, page: str) -> Path:
        """Write what a run has for readers, `REPORT` or `MODEL_CARD`, as `write` does its record; return where it is.

        Raises:
            StorageError: if there is no space for it.
        """
        path = self.path(record.run_id) / name
        write_atomically(path, page, what=f"the run's {name}")
        return path

    def link(self, record: RunRecord, step: StepRecord) -> None:
        """Let the run's directory lead to a step's artifact."""
        run = self.path(record.run_id)
        replace_link(run / step.component, Path(os.path.relpath(step.path, run)))

    def read(self, run_id: str = LATEST) -> RunRecord:
        """Return the record of a run; `latest` is the newest.

        Raises:
            ConfigError: if there is no such run.
            IntegrityError: if its record cannot be read.
        """
        path = self.path(run_id) / RECORD
        try:
            content = path.read_bytes()
        except OSError as error:
            known = self.ids()
            raise ConfigError(
                f"{self.root} has no run `{run_id}`" if known else f"{self.root} has no runs",
                expected=f"one of its {len(known)} runs, the newest being {known[-1]}" if known else "a root with runs",
                remedy="name another run, or another root with --root"
                if known
                else "run the job first, or name its root with --root",
            ) from error
        try:
            return RunRecord.model_validate_json(content)
        except ValidationError as error:
            raise IntegrityError(
                f"{path} cannot be read: {first_validation_error(error)}",
                expected="a run's record as the job writes it",
                remedy="name another run",
            ) from error

    def ids(self) -> list[str]:
        """Return the ids of all runs, the newest last."""
        if not self.directory.is_dir():
            return []
        entries = (entry for entry in self.directory.iterdir() if "." not in entry.name)
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.is_symlink())

    def newest(self) -> str | None:
        """Return the id of the run that began last, whatever the clock said then; None before there is one."""
        try:
            return (self.directory / LATEST).readlink().name
        except OSError:
            return None

    def blessed(self) -> Iterator[RunRecord]:
        """Yield the records of runs whose model was blessed, the newest first; what cannot be read is passed over."""
        for run_id in reversed(self.ids()):
            with suppress(ConfigError, IntegrityError):
                record = self.read(run_id)
                if record.blessed:
                    yield record

    def using(self, digest: str) -> list[str]:
        """Return the ids of the runs that made or reused an artifact, the newest last."""
        found = []
        for run_id in self.ids():
            with suppress(ConfigError, IntegrityError):
                if any(step.digest == digest for step in self.read(run_id).steps):
                    found.append(run_id)
        return found

    def has_record(self, run_id: str) -> bool:
        """Return whether a run came as far as to write its record."""
        return (self.path(run_id) / RECORD).is_file()

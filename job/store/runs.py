"""Runs on disk: one directory per run, with its record, its report and links to its artifacts.

<root>/runs/<run id>/run.json         the RunRecord
<root>/runs/<run id>/report.html      the report
<root>/runs/<run id>/model_card.md    the model card
<root>/runs/<run id>/lock             exists while the run is in progress
<root>/runs/<run id>/<slot>           a link to the artifact of that step
<root>/runs/.<run id>                 a run while it is created or deleted
<root>/runs/latest                    a link to the last run that has results; the last that ended if none has

A folder is a run if it has the name of one and a readable record.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from components.base.errors import ConfigError, DataError, IntegrityError, StorageError, first_validation_error
from components.io.atomic import replace_link, write_atomically
from components.io.files import catch_read_errors, open_regular
from job.store.file_system import ensure_writable
from job.store.records import RunRecord, encodable
from job.store.root import root_at

LATEST = "latest"
RECORD = "run.json"
REPORT = "report.html"
MODEL_CARD = "model_card.md"
LOCK = "lock"
HEAD_BYTES = 512
"""Enough for the first fields of a record, up to its name."""
EXPECTED_RECORD = "a record that this version of the job reads"
RUN_ID = re.compile(r"\d{8}-\d{6}-\d{3}[0-9a-f]{4}", re.ASCII)


class Runs:
    """The runs below one root directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "runs"
        self._root = root_at(root)

    def prepare(self) -> None:
        """Create the folder of runs, and check that it is writable, and that `latest` is free or a link."""
        ensure_writable(self.directory)
        latest = self.directory / LATEST
        if os.path.lexists(latest) and not latest.is_symlink():
            expected, remedy = "a link, which the job replaces when a run finishes", "move it away"
            raise ConfigError(f"{latest} is not a link", expected=expected, remedy=remedy)

    @contextmanager
    def continued(self, config: dict[str, Any]) -> Iterator[str | None]:
        """Yield the id of a run's first attempt, or None unless the newest run with its configuration was interrupted.

        In the block the interrupted run is locked, so that no other run continues it too.
        """
        config = encodable(config)
        same = (record for record in self.newest_first() if record.config == config and record.only is None)
        newest = next(same, None)
        if newest is None or not self._was_interrupted(newest):
            yield None
            return
        with self._root.try_acquire(self.path(newest.run_id) / LOCK) as free:
            yield (newest.continues or newest.run_id) if free else None

    def _was_interrupted(self, record: RunRecord) -> bool:
        # A killed process leaves its lock; it may have written its last record, but not what trackers write.
        was_killed = record.outcome == "running" or os.path.lexists(self.path(record.run_id) / LOCK)
        return (was_killed or record.outcome in ("terminated", "paused")) and not self.is_alive(record.run_id)

    def begin(self, *, config: dict[str, Any], environment: dict[str, Any], **fields: Any) -> RunRecord:
        """Create the directory of a new run with its first record, in one step; `fields` are further ones of it."""
        started = datetime.now(UTC)
        while True:  # sorted by time, and unique within a millisecond
            run_id = f"{started:%Y%m%d-%H%M%S}-{started.microsecond // 1000:03}{secrets.token_hex(2)}"
            draft = self.draft(run_id)
            with suppress(FileExistsError):
                draft.mkdir(parents=True)
                if not self.path(run_id).exists():
                    break
                draft.rmdir()
        record = RunRecord(
            run_id=run_id,
            outcome="running",
            exit_code=None,
            started=started.replace(microsecond=0),
            config=encodable(config),
            environment=encodable(environment),
            **fields,
        )
        try:
            _write(draft, record)
            draft.rename(self.path(run_id))
        except (StorageError, OSError):
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return record

    def point_latest(self, record: RunRecord) -> None:
        """Point `latest` to a run that ended. A run without results does not replace one that has some."""
        with suppress(ConfigError, IntegrityError):
            if self.read(LATEST).has_results and not record.has_results:
                return
        replace_link(self.directory / LATEST, Path(record.run_id))
        self._root.wrote(self.directory / LATEST)

    def refresh(self) -> None:
        """Read what other machines have written since the root was opened."""
        self._root.refresh(self.directory)

    def remove(self, run_id: str) -> None:
        """Delete a run. It is renamed first, so that a part of it is never taken for a damaged run."""
        shutil.rmtree(self.path(run_id).rename(self.draft(run_id)))
        self._root.removed(self.path(run_id))

    @contextmanager
    def alive(self, record: RunRecord) -> Iterator[None]:
        """Mark the run as in progress for other processes while the block runs; other machines find it from then on."""
        with self._root.acquire(self.path(record.run_id) / LOCK):
            self._root.wrote(self.path(record.run_id) / RECORD)
            yield

    def is_alive(self, run_id: str) -> bool:
        """Return whether a run is in progress. The record of a killed run still says so, the lock does not."""
        return self._root.is_held(self.path(run_id) / LOCK)

    def path(self, run_id: str) -> Path:
        """Return the directory of a run."""
        return self.directory / run_id

    def draft(self, run_id: str) -> Path:
        """Return the directory of a run while it is created or deleted."""
        return self.directory / f".{run_id}"

    def drafts(self) -> list[Path]:
        """Return the directories that `begin` or `remove` left or uses now."""
        hidden = (folder for folder in self._folders() if folder.name[0] == "." and not folder.is_symlink())
        return [folder for folder in hidden if RUN_ID.fullmatch(folder.name[1:])]

    def write(self, record: RunRecord) -> None:
        """Write the record atomically; if the disk is full, raise StorageError and keep the old record."""
        _write(self.path(record.run_id), record)
        self._root.wrote(self.path(record.run_id) / RECORD)

    def write_page(self, record: RunRecord, name: str, page: str) -> Path:
        """Write `REPORT` or `MODEL_CARD` of a run as `write` writes its record; return the path."""
        path = self.path(record.run_id) / name
        write_atomically(path, page)
        self._root.wrote(path)
        return path

    def link(self, record: RunRecord, component: str, artifact: Path) -> None:
        """Create a link to the directory of a step's artifact in the run's directory."""
        run = self.path(record.run_id)
        replace_link(run / component, Path(os.path.relpath(artifact, run)))

    def read(self, run_id: str | None = None) -> RunRecord:
        """Return the record in the folder of a run, by default the newest; raise IntegrityError if it is damaged.

        `find_run` of job/store/resolve.py finds a run by any of its names.
        """
        name = run_id or next(reversed(self.ids()), None)
        if name is None:
            raise self.no_runs()
        return read_record(self.path(name))

    def no_runs(self) -> ConfigError:
        """Return the error for a root without runs."""
        remedy = "run the job first, or name its root with --root"
        return ConfigError(f"{self.root} has no runs", expected="a root with runs", remedy=remedy)

    def ids(self) -> list[str]:
        """Return the names of all folders that are named like a run, the newest last."""
        try:  # pathlib takes ten times as long for thousands of runs
            with os.scandir(self.directory) as entries:
                folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(filter(RUN_ID.fullmatch, folders))

    def latest(self) -> str | None:
        """Return the id of the run that `latest` points to; None if there is none."""
        try:
            return (self.directory / LATEST).readlink().name
        except OSError:
            return None

    def records(self) -> dict[str, RunRecord]:
        """Return, by the name of its folder, the record of each run, and of each renamed or copied one.

        Raises:
            IntegrityError: if a folder's record cannot be read, or a folder is named like a run and has none.
        """
        records = {}
        for folder in self._folders():
            is_run = RUN_ID.fullmatch(folder.name) or os.path.lexists(folder / RECORD)
            if not is_run or folder.name == LATEST or folder.name.startswith("."):
                continue
            try:
                records[folder.name] = read_record(folder)
            except IntegrityError:
                if folder.is_dir():  # another process did not delete it meanwhile
                    raise
        return records

    def _folders(self) -> list[Path]:
        """Return all folders and links to folders, sorted."""
        return sorted(path for path in self.directory.iterdir() if path.is_dir()) if self.directory.is_dir() else []

    def blessed(self) -> Iterator[RunRecord]:
        """Yield the records of runs with a blessed model, the newest first; damaged records are skipped."""
        return (record for record in self.newest_first() if record.blessed)

    def newest_first(self) -> Iterator[RunRecord]:
        """Yield the records of all runs, the newest first; damaged records are skipped."""
        return self._valid_records(reversed(self.ids()))

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield name and id of each run that has a name, the newest first; damaged records are skipped."""
        for run_id in reversed(self.ids()):
            with suppress(DataError, ValueError, OSError):
                if (name := _read_name(self.path(run_id))) is not None:
                    yield name, run_id

    def using(self, digest: str) -> list[str]:
        """Return the ids of the runs that produced or reused an artifact, the newest last."""
        records = self._valid_records(self.ids())
        return [record.run_id for record in records if any(step.digest == digest for step in record.steps)]

    def first_uses(self, slots: Iterable[str]) -> dict[tuple[str, str], str]:
        """Return, by slot and fingerprint of an artifact, the oldest run that used it: its folder has a link to it."""
        uses: dict[tuple[str, str], str] = {}
        names = [*slots]
        for run_id in self.ids():
            for slot in names:
                with suppress(OSError):  # the run has no such step
                    link = os.readlink(f"{self.directory}/{run_id}/{slot}")  # noqa: PTH115  (pathlib takes twice as long)
                    uses.setdefault((slot, os.path.basename(link)), run_id)  # noqa: PTH119
        return uses

    def exists(self, name: str) -> bool:
        """Return whether a name is that of a run, damaged or not, or of a renamed or copied one."""
        folder = self.path(name)
        return bool(RUN_ID.fullmatch(name) and os.path.isdir(folder)) or os.path.isfile(folder / RECORD)  # noqa: PTH112, PTH113

    def _valid_records(self, ids: Iterator[str] | list[str]) -> Iterator[RunRecord]:
        for run_id in ids:
            with suppress(ConfigError, IntegrityError):
                yield self.read(run_id)


def read_record(folder: Path) -> RunRecord:
    """Return the record in the folder of a run; raise IntegrityError if it cannot be read."""
    path = folder / RECORD
    try:
        return RunRecord.model_validate_json(_read_bytes(folder))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["loc"] == ("schema_version",) and isinstance(first["input"], int):
            problem = f"{path} has the schema version {first['input']}"
        else:
            problem = f"{path} is not the record of a run: {first_validation_error(error)}"
    except DataError as error:
        problem = error.headline
    raise IntegrityError(problem, expected=EXPECTED_RECORD, remedy="name another run")


def _read_name(folder: Path) -> str | None:
    """Return the name in the record of a run. Only the beginning is read: few other fields precede it."""
    with open_regular(folder / RECORD, EXPECTED_RECORD) as file:
        content = file.read(HEAD_BYTES)
        values = from_json(content, allow_partial=True)
        if isinstance(values, dict) and "name" not in values:
            values = from_json(content + file.read())
    name = values.get("name") if isinstance(values, dict) else None
    return name if isinstance(name, str) else None


def _read_bytes(folder: Path) -> bytes:
    path = folder / RECORD
    with open_regular(path, EXPECTED_RECORD) as file, catch_read_errors(path, EXPECTED_RECORD):
        return file.read()


def _write(folder: Path, record: RunRecord) -> None:
    write_atomically(folder / RECORD, record.to_json() + "\n", what="the record of the run")

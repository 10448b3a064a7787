"""Summaries of all runs of a root, for tables: what `run.json` and the model's manifest state, in one small file.

<root>/runs/.summaries.json is derived data: a summary is read from it if the size and the time of its `run.json` are
the same, and made again otherwise. If the file is missing, damaged or cannot be written, nothing is lost but time.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ValidationError

from components.artifacts import Epoch, Model
from components.base.errors import IntegrityError, JobError
from components.base.text import escape_json
from components.io.atomic import write_atomically
from components.runtime.locks import try_acquire
from job.pipeline.slots import SLOTS
from job.store.differences import Facts, flatten
from job.store.manifest import MANIFEST
from job.store.records import Outcome, RecordPart, RunRecord, SweepRecord
from job.store.runs import RECORD, RUN_ID, Runs, read_record
from job.store.store import Store

CACHE = ".summaries.json"
LOCK = ".summaries.lock"
VERSION: Literal[1] = 1
"""Incremented when a field of a summary changes its meaning; then all are made again."""
MAX_CURVE_POINTS = 24
KEY_CHARACTERS = 16
"""Characters of a fingerprint by which steps are compared."""
NOT_COMPARED = "root"
"""The key of the configuration that decides no result."""
TRAINER = "trainer"
UNSETTLED = frozenset({"running", "killed", "damaged"})
"""Outcomes that may change although `run.json` stays the same."""
SAME_IN_RECORD = {
    *("run_id", "name", "note", "exit_code", "started", "seconds", "cpu_seconds", "data_set", "blessed"),
    *("rubber_stamped", "sweep", "only", "from_run"),
}
"""Fields of a summary that are fields of the record."""
SummaryOutcome = Outcome | Literal["killed", "damaged"]


class StepSummary(RecordPart):
    """One step of a run."""

    component: str
    status: Literal["ran", "reused"]
    key: str
    """The first characters of its fingerprint."""


class RunSummary(RecordPart):
    """One run in a table of all runs."""

    run_id: str
    record_size: int
    """Size of `run.json` in bytes; with its time, the key of the cache."""
    record_modified_ns: int
    name: str | None = None
    note: str | None = None
    outcome: SummaryOutcome
    """`killed` if the process is gone and left no outcome, `damaged` if `run.json` cannot be read."""
    exit_code: int | None = None
    failure: str | None = None
    """Why the run did not finish."""
    started: datetime
    seconds: float = 0.0
    cpu_seconds: float | None = None
    training_cpu_seconds: float | None = None
    """None if the run trained nothing."""
    data_set: str | None = None
    blessed: bool | None = None
    rubber_stamped: bool = False
    validation_accuracy: float | None = None
    """That of the best epoch, whose weights the model has."""
    test_accuracy: float | None = None
    test_accuracy_interval: tuple[float, float] | None = None
    parameters: int | None = None
    curve: tuple[tuple[float, float], ...] = ()
    """Accuracy on the training and the validation images, at some epochs from the first to the last."""
    steps: tuple[StepSummary, ...] = ()
    has_report: bool = False
    sweep: SweepRecord | None = None
    only: str | None = None
    from_run: str | None = None
    config: dict[str, Any] = {}
    code: dict[str, str] = {}
    packages: dict[str, str] = {}

    @property
    def facts(self) -> Facts:
        """What decides the results of the run."""
        return Facts(self.config, self.code, self.packages)


class Change(RecordPart):
    """A mapping as the difference from that of the run before: a sweep's configurations differ in few keys."""

    set: dict[str, Any] = {}
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Self:
        """Return the change that `apply` makes."""
        if before == after:
            return cls()
        changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
        return cls(set=changed, removed=tuple(key for key in before if key not in after))

    def apply(self, before: dict[str, Any]) -> dict[str, Any]:
        """Return the mapping after the change; the same object if nothing changes."""
        if not (self.set or self.removed):
            return before
        after = before | self.set
        for key in self.removed:
            after.pop(key, None)
        return after


class CachedRun(RecordPart):
    """A summary in the cache, with what differs from the one before it."""

    summary: RunSummary
    config: Change
    code: Change
    packages: Change


class Cache(RecordPart):
    """The content of the cache."""

    version: Literal[1]
    runs: tuple[CachedRun, ...] = ()


class _ModelManifest(BaseModel):
    artifact: Model


class Summaries:
    """The summaries of the runs below one root."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.store = Store(runs.root)
        self.path = runs.directory / CACHE
        self.lock = runs.directory / LOCK
        self._models: dict[str, Model | None] = {}

    def read(self) -> list[RunSummary]:
        """Return the summary of each run, the newest last, and update the cache if that is possible."""
        summaries, is_current = self._refreshed()
        if not is_current:
            with suppress(OSError, JobError), try_acquire(self.lock) as free:
                if free:
                    self._write(summaries)
        return summaries

    def update(self) -> list[RunSummary]:
        """Return the same as `read`. The caller holds the lock, and handles errors of writing the cache."""
        summaries, is_current = self._refreshed()
        if not is_current:
            self._write(summaries)
        return summaries

    def _refreshed(self) -> tuple[list[RunSummary], bool]:
        cached = {summary.run_id: summary for summary in self._cached()}
        summaries = [self._summary(run_id, cached.get(run_id)) for run_id in self._ids()]
        return summaries, summaries == list(cached.values())

    def _ids(self) -> list[str]:
        try:
            with os.scandir(self.runs.directory) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if RUN_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        except OSError:
            return []

    def _summary(self, run_id: str, cached: RunSummary | None) -> RunSummary:
        size, modified = 0, 0
        with suppress(OSError):  # the record is missing
            status = os.stat(os.path.join(self.runs.directory, run_id, RECORD))  # noqa: PTH116, PTH118  (thousands)
            size, modified = status.st_size, status.st_mtime_ns
        key = {"record_size": size, "record_modified_ns": modified}
        if cached is not None and cached.outcome not in UNSETTLED:
            if (cached.record_size, cached.record_modified_ns) == (size, modified):
                return cached
        try:
            record = read_record(self.runs.path(run_id))
        except IntegrityError as error:
            started = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            return RunSummary(run_id=run_id, **key, outcome="damaged", started=started, failure=error.headline)
        return RunSummary(**key, **self._fields(record))

    def _fields(self, record: RunRecord) -> dict[str, Any]:
        outcome: SummaryOutcome = record.outcome
        if outcome == "running" and not self._is_alive(record.run_id):
            outcome = "killed"
        metrics, model, environment = record.metrics or {}, self._model(record), record.environment
        interval = metrics.get("accuracy_interval")
        packages = {**environment.get("libraries", {}), "python": environment.get("python")}
        return {
            **record.model_dump(include=SAME_IN_RECORD),
            "outcome": outcome,
            "failure": None if record.failure is None else record.failure.headline,
            "training_cpu_seconds": record.training_cpu_seconds(),
            "validation_accuracy": None if model is None else model.best.val_accuracy,
            "test_accuracy": metrics.get("accuracy"),
            "test_accuracy_interval": None if interval is None else (interval["low"], interval["high"]),
            "parameters": None if model is None else model.parameters,
            "curve": () if model is None else curve(model.history),
            "steps": tuple(
                StepSummary(component=step.component, status=step.status, key=step.fingerprint[:KEY_CHARACTERS])
                for step in record.steps
            ),
            "has_report": record.report is not None,
            "config": {key: value for key, value in flatten(record.config).items() if key != NOT_COMPARED},
            "code": record.source_files,
            "packages": {name: version for name, version in packages.items() if version is not None},
        }

    def _is_alive(self, run_id: str) -> bool:
        with suppress(JobError):  # the lock cannot be read
            return self.runs.is_alive(run_id)
        return True

    def _model(self, record: RunRecord) -> Model | None:
        """Return the statement of the model of a run; a custom step may have replaced that of the trainer."""
        for step in reversed(record.steps):
            if step.component == TRAINER or step.component not in SLOTS:
                if step.fingerprint not in self._models:
                    self._models[step.fingerprint] = self._read_model(step.component, step.fingerprint)
                if (model := self._models[step.fingerprint]) is not None:
                    return model
        return None

    def _read_model(self, slot: str, fingerprint: str) -> Model | None:
        with suppress(OSError, ValidationError):
            content = (self.store.directory(slot, fingerprint) / MANIFEST).read_bytes()
            return _ModelManifest.model_validate_json(content).artifact
        return None

    def _cached(self) -> Iterator[RunSummary]:
        try:
            cache = Cache.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return
        config: dict[str, Any] = {}
        code: dict[str, Any] = {}
        packages: dict[str, Any] = {}
        for run in cache.runs:
            config, code, packages = run.config.apply(config), run.code.apply(code), run.packages.apply(packages)
            yield run.summary.model_copy(update={"config": config, "code": code, "packages": packages})

    def _write(self, summaries: list[RunSummary]) -> None:
        before = Facts({}, {}, {})
        cached = []
        for summary in summaries:
            after = summary.facts
            cached.append(
                CachedRun(
                    summary=summary.model_copy(update={"config": {}, "code": {}, "packages": {}}),
                    config=Change.between(before.config, after.config),
                    code=Change.between(before.code, after.code),
                    packages=Change.between(before.packages, after.packages),
                )
            )
            before = after
        content = Cache(version=VERSION, runs=tuple(cached)).model_dump_json(exclude_defaults=True)
        write_atomically(self.path, escape_json(content), what="the summaries of the runs")


def curve(history: tuple[Epoch, ...]) -> tuple[tuple[float, float], ...]:
    """Return the accuracies on the training and the validation images, at most `MAX_CURVE_POINTS` of them."""
    last = len(history) - 1
    count = min(len(history), MAX_CURVE_POINTS)
    places = dict.fromkeys(round(last * place / max(1, count - 1)) for place in range(count))
    return tuple((round(history[at].accuracy, 4), round(history[at].val_accuracy, 4)) for at in places)

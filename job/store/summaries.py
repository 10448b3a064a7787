"""Summaries of all runs of a root, cached in one file.

A summary in <root>/runs/.summaries.json is used if the size and the time of `run.json` are the same. If the file is
missing, damaged or not writable, the summaries are computed from the records, which takes longer.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError

from components.artifacts import Model
from components.base.errors import IntegrityError, JobError
from components.base.text import escape_json
from components.io.atomic import write_atomically
from components.runtime.locks import try_acquire
from job.pipeline.slots import TRAINER
from job.store.manifest import MANIFEST
from job.store.opened import open_store
from job.store.records import RecordPart, RunRecord
from job.store.runs import RECORD, Runs, read_record
from job.store.summary import Facts, RecordKey, RunSummary, damaged, summarize

CACHE = ".summaries.json"
LOCK = ".summaries.lock"
VERSION: Literal[1] = 1
"""Incremented when a field of a summary changes its meaning; then all summaries are computed again."""
UNSETTLED = frozenset({"running", "killed", "damaged"})
"""Outcomes that may change although `run.json` stays the same."""


class Patch(RecordPart):
    """The difference of a mapping from that of the run before: the configurations of a sweep differ in few keys."""

    values: dict[str, Any] = Field(default_factory=dict)
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Self:
        """Return the patch that changes `before` into `after`."""
        if before == after:
            return cls()
        values = {key: value for key, value in after.items() if key not in before or before[key] != value}
        return cls(values=values, removed=tuple(key for key in before if key not in after))

    def apply(self, before: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the mapping that results."""
        if not (self.values or self.removed):
            return before
        return {key: value for key, value in before.items() if key not in self.removed} | self.values


class CachedRun(RecordPart):
    """A summary in the cache; its facts are stored as differences from those of the run before."""

    summary: RunSummary
    config: Patch = Field(default_factory=Patch)
    source_files: Patch = Field(default_factory=Patch)
    packages: Patch = Field(default_factory=Patch)


class Cache(RecordPart):
    """The content of the cache."""

    version: Literal[1]
    runs: tuple[CachedRun, ...]


class _ModelManifest(BaseModel):
    artifact: Model


class Summaries:
    """The summaries of the runs below one root."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.store = open_store(runs.root)
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
        """As `read`, for a caller that holds the lock and handles errors of writing."""
        summaries, is_current = self._refreshed()
        if not is_current:
            self._write(summaries)
        return summaries

    def _refreshed(self) -> tuple[list[RunSummary], bool]:
        cached = {summary.run_id: summary for summary in self._cached()}
        summaries = [self._summary(run_id, cached.get(run_id)) for run_id in self.runs.ids()]
        return summaries, summaries == list(cached.values())

    def _summary(self, run_id: str, cached: RunSummary | None) -> RunSummary:
        key = RecordKey()
        with suppress(OSError):
            status = os.stat(f"{self.runs.directory}/{run_id}/{RECORD}")  # noqa: PTH116  (fast)
            key = RecordKey(size=status.st_size, modified_ns=status.st_mtime_ns)
        if cached is not None and cached.key == key and cached.outcome not in UNSETTLED:
            return cached
        try:
            record = read_record(self.runs.path(run_id))
        except IntegrityError as error:
            return damaged(run_id, error.headline)
        is_alive = record.outcome != "running" or self._is_alive(run_id)
        return summarize(record, self._model(record), key=key, is_alive=is_alive)

    def _is_alive(self, run_id: str) -> bool:
        with suppress(JobError):  # the lock cannot be read
            return self.runs.is_alive(run_id)
        return True

    def _model(self, record: RunRecord) -> Model | None:
        """Return the statement of the model of a run; a custom step may have replaced that of the trainer."""
        for step in record.producers(TRAINER):
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
        facts = Facts()
        for run in cache.runs:
            facts = Facts(
                run.config.apply(facts.config),
                run.source_files.apply(facts.source_files),
                run.packages.apply(facts.packages),
            )
            yield run.summary.model_copy(update={"facts": facts})

    def _write(self, summaries: list[RunSummary]) -> None:
        before, runs = Facts(), []
        for summary in summaries:
            after = summary.facts
            runs.append(
                CachedRun(
                    summary=summary,
                    config=Patch.between(before.config, after.config),
                    source_files=Patch.between(before.source_files, after.source_files),
                    packages=Patch.between(before.packages, after.packages),
                )
            )
            before = after
        content = Cache(version=VERSION, runs=tuple(runs)).model_dump_json(exclude_defaults=True)
        write_atomically(self.path, escape_json(content), what="the summaries of the runs")

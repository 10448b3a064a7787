"""The runner: one run of a pipeline, from the checks before its first step to its record and exit code."""

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from components import Artifact, Evaluation, Examples, Figures, PushedModel, Stored
from components.artifacts import Epoch
from components.base.cluster import Cluster
from components.base.errors import (
    ConfigError,
    ExitCode,
    JobError,
    ResourceError,
    StorageError,
    TerminationError,
    first_line,
)
from components.base.termination import Paused
from components.base.text import printable
from components.base.timing import Elapsed, read_clocks
from components.object_storage.deadline import requests_end_by
from components.object_storage.settings import storage_settings
from job.config.config import JobConfig
from job.errors import as_job_error
from job.pipeline.pipeline import flow
from job.reporters.index import write_index
from job.reporters.listener import RunListener
from job.reporters.run_section import add_run_to_card, add_run_to_report
from job.runner.cluster import pipeline_cluster, require_one_process
from job.runner.environment import describe_environment
from job.runner.look_up import StepFinder
from job.runner.selection import StepSelection, check_destination
from job.runner.step import StepRun, can_publish
from job.signals import Signals
from job.store.artifact_resolver import ArtifactResolver
from job.store.opened import open_store
from job.store.pinned import OriginalRun, PinnedResolver
from job.store.records import (
    ClusterRecord,
    Failure,
    Outcome,
    RunRecord,
    StepRecord,
    SweepRecord,
    duration_fields,
    outcome_of,
    timing_fields,
)
from job.store.root import root_at, root_of
from job.store.run_names import check_name, check_note
from job.store.runs import MODEL_CARD, REPORT, Runs
from job.store.sealed import SealedArtifact
from job.store.source_code import short_source_files
from job.tracking.listener import TrackingListener, tracker_factories


class StopAfterStep(Exception):  # noqa: N818  (not an error)
    """Raised after the first step of a rebuilt run whose output differs from that of the original run."""


@dataclass
class Runner:
    """One run of a configured pipeline."""

    config: JobConfig
    listener: RunListener
    signals: Signals = field(default_factory=Signals)  # the caller installs their handlers
    use_cache: bool = True  # whether sealed artifacts are reused
    strict: bool = False  # whether a damaged artifact ends the run; otherwise it is quarantined and produced again
    until: str | None = None  # the last slot to run; None for all
    only: str | None = None  # the only step to run, on the artifacts of `from_run`
    from_run: RunRecord | None = None
    rebuilds: OriginalRun | None = None  # nothing is published; the first artifact that differs from it ends the run
    began: Elapsed = field(default_factory=read_clocks)  # from which the duration of the run counts
    command: str = ""  # the command line that started the run; empty if it was started from Python
    name: str | None = None  # of the run
    note: str | None = None
    sweep: SweepRecord | None = None  # to which the run belongs
    should_pause: Callable[[Sequence[Epoch]], bool] | None = None  # of the Context

    def __post_init__(self) -> None:
        self.selection = StepSelection.of(
            self.config.pipeline, until=self.until, only=self.only, from_run=self.from_run
        )
        self.components = self.selection.components
        self.cluster = self._find_cluster()
        self.root = self.config.open_root()
        self.store = open_store(self.root)
        self.runs = Runs(self.root)
        resolver = ArtifactResolver(self.store, self.runs) if self.rebuilds is None else PinnedResolver(self.rebuilds)
        self.finder = StepFinder(self.store, resolver, self.use_cache, self.strict)
        factories = tracker_factories(self.config.tracking, self.root)
        self.tracking = TrackingListener(self.listener, factories, self.signals)
        self.listener = self.tracking
        self._record: RunRecord | None = None
        self._current: StepRun | None = None
        self._error: JobError | None = None
        self._figures: Stored[Figures] | None = None
        self._requests_end_at = math.inf

    @property
    def record(self) -> RunRecord:
        """The record of the run so far."""
        if self._record is None:
            raise RuntimeError("the run has not begun")
        return self._record

    @property
    def has_begun(self) -> bool:
        """Whether the run has a record."""
        return self._record is not None

    @property
    def directory(self) -> Path:
        """The directory of the run's record."""
        return self.runs.path(self.record.run_id)

    def run(self) -> RunRecord:
        """Run all steps, up to `until` if it is set, and return the record.

        A step that fails raises JobError, after the failure is recorded. A run that cannot begin has no record.
        """
        with self.signals.interruptible_at_once():
            if self.name is not None:
                check_name(self.name)
            if self.note is not None:
                check_note(self.note)
            self._check()
        environment = describe_environment(self.components.values())
        config = self.config.resolved()
        with ExitStack() as stack:
            stack.enter_context(requests_end_by(lambda: self._requests_end_at))
            is_continuable = self.tracking.is_on and self.only is None
            continues = stack.enter_context(self.runs.continued(config)) if is_continuable else None
            self._record = self.runs.begin(
                config=config,
                environment=environment,
                continues=continues,
                name=self.name,
                note=self.note,
                sweep=self.sweep,
                only=self.only,
                cluster=None if self.cluster is None else ClusterRecord.of(self.cluster),
                **({} if self.from_run is None else _fields_from(self.from_run)),
            )
            try:
                stack.enter_context(self.runs.alive(self.record))
                self.listener.begin(self.record, self.directory)
                self._record_tracking()
                with suppress(StopAfterStep):
                    flow(self._step, self.config.pipeline, self.selection.names)
                self._end(ExitCode.NOT_BLESSED if self.record.blessed is False else ExitCode.SUCCEEDED)
                self._write_pages()
                self._point_latest()
            except Paused:
                self._end(ExitCode.SUCCEEDED, outcome="paused")
            except BaseException as error:  # a component may raise anything, such as SystemExit
                failure = self._vanished() or self._interruption(error) or as_job_error(error, self.root)
                self._end_with(failure)
                if failure is error:
                    raise
                raise failure from error
            finally:
                self.tracking.finish(self.record, self.directory)  # first: its warnings precede the summary
                self.store.release()
                with suppress(StorageError, OSError):
                    self._record_tracking()
                self._write_index()
                self._upload()
                self.listener.end(self.record, self.directory)
        if self._error is not None:
            raise self._error
        return self.record

    def _find_cluster(self) -> Cluster | None:
        if self.sweep is not None or self.rebuilds is not None:
            require_one_process(self.config.pipeline, "a sweep" if self.rebuilds is None else "`reproduce`")
        cluster = pipeline_cluster(self.config.pipeline, self.only)
        if cluster is not None and not cluster.is_chief:
            problem, remedy = f"this process is {cluster}", "start it with the command `run`"
            raise ConfigError(problem, expected="worker 0, which alone has a run", remedy=remedy)
        return cluster

    def _check(self) -> None:
        self.config.engine.preflight()
        for slot, component in self.components.items():
            if self.rebuilds is None or not can_publish(component):  # it checks where it would publish
                component.preflight()
                check_destination(slot, component, self.store, self.runs)
        self.store.prepare(self.components)
        self.runs.prepare()
        for slot, component in self.components.items():
            self.finder.resolver.check(slot, component)

    def _vanished(self) -> ResourceError | None:
        """Return the error for a root that was deleted or unmounted during the run; None if it is there."""
        for folder in (self.root, self.store.artifacts, self.directory):
            if not os.path.isdir(folder):  # noqa: PTH112  (False for a mount that does not respond)
                what = "root" if root_of(folder) is None else "cache"
                return ResourceError(
                    f"{folder} was deleted, moved or unmounted during the run",
                    expected=f"a {what} that exists until the run ends",
                    remedy="restore or mount it, and run the same command again",
                )
        return None

    def _interruption(self, error: BaseException) -> TerminationError | None:
        """Return the interruption if its limit ended a request."""
        if isinstance(error, ResourceError) and self.signals.ended_requests:
            try:
                self.signals.check()
            except TerminationError as interruption:
                return interruption
        return None

    def _step(self, slot: str, /, **inputs: SealedArtifact) -> SealedArtifact:
        if vanished := self._vanished():  # otherwise the step would create a part of the root again
            raise vanished
        self._current = StepRun(
            slot,
            self.config.pipeline.components()[slot],
            finder=self.finder,
            listener=self.listener,
            signals=self.signals,
            publishes=self.rebuilds is None,
            should_pause=self.should_pause,
            open_engine=partial(self.config.engine.open, self.root),
        )
        self.listener.begin_step(slot)
        run_id, earlier, from_run = self.record.run_id, self.selection.taken.get(slot), self.selection.from_run
        if earlier is None:
            step, sealed = self._current.run(inputs, run_id=run_id, commit=self._commit)
        else:
            step, sealed = self._current.take(earlier, from_run=from_run, run_id=run_id, commit=self._commit)
        self.runs.link(self.record, slot, sealed.directory)
        artifact = sealed.manifest.artifact
        if fields := result_fields(artifact):
            self._update(**fields)
        if isinstance(artifact, Examples):  # written with the next step
            self._record = self.record.model_copy(update={"data_set": printable(artifact.source.title)})
        if isinstance(artifact, Figures):
            if pages := [*filter(None, (artifact.report_file, artifact.model_card_file))]:
                sealed.fetch(*pages)
            self._figures = Stored(artifact, sealed.directory)
        self.listener.end_step(step, sealed)
        if self.rebuilds is not None and not self.rebuilds.has_output(step):
            raise StopAfterStep
        self._current = None
        return sealed

    def _commit(self, step: StepRecord) -> None:
        used = {} if self._current is None else self._current.source_files
        files = self.record.source_files | short_source_files(used)
        self._update(steps=(*self.record.steps, step), source_files=files)

    def _end(self, exit_code: ExitCode, failure: Failure | None = None, outcome: Outcome | None = None) -> None:
        duration = duration_fields(read_clocks() - self.began)
        self._update(outcome=outcome or outcome_of(exit_code), exit_code=int(exit_code), failure=failure, **duration)

    def _end_with(self, error: JobError) -> None:
        """Record a failure. Another one while doing so is only a warning, because the first one is reported."""
        self._error, vanished = error, self._vanished() is not None
        if isinstance(error, ResourceError) and root_of(self.root) is not None:
            # The store may not respond: what remains does not wait for as long again.
            self._requests_end_at = time.monotonic() + storage_settings().timeout / 2
        try:
            self._end(error.exit_code, self._failure(error))
        except (StorageError, OSError) as another:
            if not vanished:
                self.listener.warning(f"the record of the run could not be finished: {first_line(another)}")
        if vanished:
            self.tracking.silence()
            return
        try:
            self._write_pages()
        except Exception as another:
            self.listener.warning(f"the report of the run could not be finished: {first_line(another)}")
        self._point_latest()

    def _failure(self, error: JobError) -> Failure:
        current = self._current
        is_finished = current is None or current.slot in {step.component for step in self.record.steps}
        return Failure(
            component=None if current is None else current.slot,
            **({} if current is None or is_finished else timing_fields(current.stopwatch)),
            headline=error.headline,
            expected=error.expected,
            remedy=error.remedy,
        )

    def _write_pages(self) -> None:
        if self._figures is None:
            return
        directory, figures = self._figures.directory, self._figures.artifact
        for field_name, file, name, add_run in (
            ("report", figures.report_file, REPORT, add_run_to_report),
            ("model_card", figures.model_card_file, MODEL_CARD, add_run_to_card),
        ):
            if file is None:
                continue
            try:
                page = add_run((directory / file).read_text(encoding="utf-8"), self.record, command=self.command)
                path = self.runs.write_page(self.record, name, page)
            except (OSError, ValueError) as error:
                what = field_name.replace("_", " ")
                self.listener.warning(f"the {what} of the run could not be written: {first_line(error)}")
            else:
                self._update(**{field_name: self.store.address(path)})

    def _write_index(self) -> None:
        if self._vanished() is not None:
            return
        try:
            # After an error, the network may be the reason; after a signal, there is little time.
            if not isinstance(self._error, ResourceError | TerminationError):
                root_at(self.root).refresh(self.runs.directory)  # other machines may have run meanwhile
            write_index(self.root)
        except Exception as error:
            self.listener.warning(f"the page of all runs was not written: {first_line(error)}")

    def _upload(self) -> None:
        """Wait until other machines can read the run; if that is not possible, the run failed."""
        try:
            root_at(self.root).flush()
        except JobError as error:
            if self._error is None:
                self._end_with(error)
                with suppress(JobError):  # its record names the local path if the store still fails
                    root_at(self.root).flush()
            else:
                self.listener.warning(f"some files of the run were not uploaded: {error.headline}")

    def _point_latest(self) -> None:
        try:
            self.runs.point_latest(self.record)
        except OSError as error:
            self.listener.warning(f"`latest` does not point to the run: {first_line(error)}")

    def _record_tracking(self) -> None:
        if (locations := self.tracking.locations) != self.record.tracking:
            self._update(tracking=locations)

    def _update(self, **changes: Any) -> None:
        self._record = self.record.model_copy(update=changes)
        self.runs.write(self.record)


def _fields_from(run: RunRecord) -> dict[str, Any]:
    """Return the fields of a run that takes steps from an earlier one, and so its source files."""
    return {"from_run": run.run_id, "source_files": run.source_files}


def result_fields(artifact: Artifact) -> dict[str, Any]:
    """Return the fields of the run's record that an artifact determines."""
    match artifact:
        case Evaluation(metrics=metrics, blessing=blessing):
            return {
                "metrics": metrics.model_dump(mode="json"),
                "blessed": blessing.verdict == "BLESSED",
                "worst_slices": tuple(
                    {"key": item.key, **item.model_dump(mode="json")} for item in artifact.worst_slices()
                ),
                "rubber_stamped": blessing.rubber_stamped,
                "checks": tuple({"name": check.name, **check.model_dump(mode="json")} for check in blessing.checks),
            }
        case PushedModel(withheld=withheld):
            return {"withheld": withheld or None}
        case _:
            return {}

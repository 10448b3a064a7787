"""The runner: for each step look up, run, seal, report; and one exit code at the end."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console

from components import Artifact, Component, Context, Evaluation, Figures, PushedModel, Stored
from components.base.errors import (
    ConfigError,
    ExitCode,
    IntegrityError,
    JobError,
    ResourceError,
    StorageError,
    first_line,
    one_line,
)
from components.base.timing import Elapsed, Stopwatch, read_clocks
from components.runtime.disk import FREE_SPACE, disk_full_error, disk_space_guard, is_disk_full
from job.pipeline.pipeline import A, flow
from job.pipeline.slots import import_string
from job.reporters.console import ConsoleReporter
from job.reporters.run_section import add_run_to_card, add_run_to_report
from job.runner.delivery import check_delivery
from job.runner.environment import describe_environment
from job.signals import Interrupted, Signals
from job.store.fingerprint import fingerprint_inputs
from job.store.records import Failure, RunRecord, StepRecord, duration_fields, outcome_of, timing_fields
from job.store.resolve import ArtifactResolver
from job.store.runs import MODEL_CARD, REPORT, Runs
from job.store.store import SealedArtifact, Store
from job.tracking.listener import TrackingListener
from job.tracking.tracker import tracker_factories

if TYPE_CHECKING:
    from pathlib import Path

    from job.config.config import JobConfig
    from job.reporters.listener import RunListener
    from job.store.fingerprint import FingerprintInputs


RUN_ENDING_EXCEPTIONS = (Exception, SystemExit, Interrupted)
"""All that can end a run: a component may call `sys.exit`, and a signal may come in any moment."""


MOST_REASONS = 4
"""Differences that are named where a step has to run; of another data set nearly all is different."""


class StopAfterStep(Exception):  # noqa: N818  (not an error)
    """The last step that was asked for is done."""


@dataclass
class Runner:
    """Runs a configured pipeline once, and remembers where it is.

    Attributes:
        config: what to run.
        report: told of it.
        signals: heard by whoever made them; asked here whether to end.
        use_cache: whether what is sealed is reused.
        strict: whether a damaged artifact ends the run, rather than being set aside and made again.
        until: the last step to run, or None for all.
        began: what the clocks showed when what the run takes is to count from; by default now.
        command: what asked for the run, for whoever wants the same; empty if that was no command.

    Raises:
        ConfigError: if a tool that is to follow the run is not installed.
    """

    config: JobConfig
    report: RunListener
    signals: Signals = field(default_factory=Signals)
    use_cache: bool = True
    strict: bool = False
    until: str | None = None
    began: Elapsed = field(default_factory=read_clocks)
    command: str = ""

    def __post_init__(self) -> None:
        self.store = Store(self.config.root)
        self.runs = Runs(self.config.root)
        self.references = ArtifactResolver(self.store, self.runs)
        self.sealed_by_directory: dict[Any, SealedArtifact] = {}
        self.current: str | None = None
        factories = tracker_factories(self.config.tracking, self.config.root)
        self.tracking = TrackingListener(self.report, factories, self.signals)
        self.report = self.tracking
        self.stopwatch = Stopwatch()
        self.figures: Stored[Figures] | None = None
        self._record: RunRecord | None = None

    def run(self) -> RunRecord:
        """Run all steps, up to `until` if it is set, and return how it ended.

        Whatever happens, `record` and `run.json` say how it ended before an error leaves.

        Raises:
            JobError: if a step fails, or the run cannot even begin (then there is no record).
        """
        if self.until is not None and self.until not in self.config.pipeline.components():
            raise ConfigError(
                f"the configuration has no {self.until} to stop after",
                expected=", ".join(self.config.pipeline.components()),
                remedy=f"name one of these, or add a section `{self.until}`",
            )
        for slot, component in self.config.pipeline.components().items():
            component.preflight()
            check_delivery(slot, component, self.store, self.runs)
        self.store.prepare(self.config.pipeline.components())
        self.runs.prepare()
        for slot, component in self.config.pipeline.components().items():
            self.references.check(slot, component)
        environment = describe_environment(self.config.pipeline.components().values())
        self._record = self.runs.begin(config=self.config.resolved(), environment=environment)
        with ExitStack() as held:
            try:
                held.enter_context(self.runs.alive(self.record))
                self.report.begin(self.record, self.directory)
                self._say_where_followed()
                exit_code = self._run_steps()
                self._end(exit_code)
                self._write_pages()
            except RUN_ENDING_EXCEPTIONS as error:
                told = as_job_error(error, self.config.root)
                try:
                    self._end(told.exit_code, failure=self._failure(told))
                except (StorageError, OSError) as another:  # what ended the run is to be told, not this
                    self.report.warning(f"the record of the run could not be finished: {first_line(another)}")
                try:
                    self._write_pages()
                except Exception as another:
                    self.report.warning(f"the report of the run could not be finished: {first_line(another)}")
                if told is error:
                    raise
                raise told from error
            finally:
                # First: what fails here is not to be said after the last word.
                self.tracking.finish(self.record, self.directory)
                with suppress(StorageError, OSError):
                    self._say_where_followed()
                self.report.end(self.record, self.directory)
        return self.record

    @property
    def record(self) -> RunRecord:
        """The run so far.

        Raises:
            RuntimeError: if it has not begun.
        """
        if self._record is None:
            raise RuntimeError("the run has not begun")
        return self._record

    @property
    def directory(self) -> Path:
        """Where the run's record is kept."""
        return self.runs.path(self.record.run_id)

    @property
    def has_begun(self) -> bool:
        """Whether there is a record."""
        return self._record is not None

    def _run_steps(self) -> ExitCode:
        with suppress(StopAfterStep):
            flow(self._step, self.config.pipeline)
        return ExitCode.NOT_BLESSED if self.record.blessed is False else ExitCode.SUCCEEDED

    def _step(self, slot: str, made: type[A], /, **inputs: Stored[Any]) -> Stored[A]:
        self.current = slot
        component = self.config.pipeline.components()[slot]
        self.stopwatch = Stopwatch()
        observations: dict[str, float] = {}
        self.report.begin_step(slot)
        digests = {name: self.sealed_by_directory[stored.directory].manifest.digest for name, stored in inputs.items()}
        with self.stopwatch.timed("fingerprint"), self.signals.interruptible():  # a source may have much to read
            key = fingerprint_inputs(component, digests)
            references = self.references.resolve(slot, component, key)
            if references:
                digests |= {name: reference.sealed.manifest.digest for name, reference in references.items()}
                inputs |= {name: reference.sealed.stored() for name, reference in references.items()}
                key = fingerprint_inputs(component, digests)
        # Held until the record refers to the artifact: nobody makes it a second time, or removes it in between.
        locked = self.store.locked(
            slot,
            key.fingerprint,
            owner=self.record.run_id,
            on_wait=self.report.waiting,
            check=self.signals.check,
        )
        with ExitStack() as held:
            with self.stopwatch.timed("waiting"):
                held.enter_context(locked)
            with self.stopwatch.timed("look-up"):
                found, reason = self._look_up(slot, key)
            sealed = found or self._make(slot, key, made, inputs, observations)
            published = self._publish(component, sealed)
            step = StepRecord(
                component=slot,
                implementation=import_string(type(component)),
                status="reused" if found else "ran",
                reason=reason,
                **timing_fields(self.stopwatch),
                fingerprint=sealed.manifest.fingerprint,
                digest=sealed.manifest.digest,
                path=str(sealed.directory),
                references={name: reference.record() for name, reference in references.items()},
                observations=observations,
                published=published or None,
            )
            self._update(steps=(*self.record.steps, step))
        self.sealed_by_directory[sealed.directory] = sealed
        self.runs.link(self.record, step)
        if isinstance(evaluation := sealed.manifest.artifact, Evaluation):
            self._update(
                metrics=evaluation.metrics.model_dump(mode="json"),
                blessed=evaluation.blessing.verdict == "BLESSED",
                worst_slices=tuple(
                    {"key": found.key, **found.model_dump(mode="json")} for found in evaluation.worst_slices()
                ),
                rubber_stamped=evaluation.blessing.rubber_stamped,
                checks=tuple(
                    {"name": check.name, **check.model_dump(mode="json")} for check in evaluation.blessing.checks
                ),
            )
        if isinstance(pushed := sealed.manifest.artifact, PushedModel):
            self._update(withheld=pushed.withheld or None)
        if isinstance(figures := sealed.manifest.artifact, Figures):
            self.figures = Stored(figures, sealed.directory)
        self.report.end_step(step, sealed)
        if slot == self.until:
            raise StopAfterStep
        self.current = None
        return sealed.stored()

    def _make(
        self,
        slot: str,
        key: FingerprintInputs,
        made: type[Artifact],
        inputs: dict[str, Stored[Any]],
        observations: dict[str, float],
    ) -> SealedArtifact:
        """Run the component and seal what it made; what it leaves half-made goes, what it observed is added."""
        component = self.config.pipeline.components()[slot]
        with self.store.staged(slot, key.fingerprint) as stage:
            context = Context(
                output=stage.files,
                progress=self.report,
                termination=self.signals,
                checkpoints=stage.checkpoints,
                fingerprint=key.fingerprint,
                stopwatch=self.stopwatch,
                observations=observations,
            )
            # Within the stage, where what was written last still fills the disk.
            with disk_space_guard(stage.files):
                with self.signals.interruptible():
                    artifact: Artifact = component.run(context, **inputs)
                if not isinstance(artifact, made):
                    raise JobError(
                        f"{key.producer.component} returned {type(artifact).__name__}",
                        expected=f"{made.__name__}, as its annotation says",
                        remedy="correct the component",
                    )
                with self.stopwatch.timed("sealing"):
                    return self.store.seal(slot, key, artifact, self.report.warning)

    def _publish(self, component: Component[Any], sealed: SealedArtifact) -> str:
        """Have a component bring what it made to where it is used, also if that was made before."""
        if type(component).publish is Component.publish:
            return ""
        with self.stopwatch.timed("publishing"), self.signals.interruptible():
            return component.publish(sealed.stored(), self.report)

    def _look_up(self, slot: str, key: FingerprintInputs) -> tuple[SealedArtifact | None, str]:
        """Return the sealed artifact to reuse, if any, and why it is reused or not."""
        if not self.use_cache:
            return None, "--no-cache"
        try:
            sealed = self.store.find(slot, key.fingerprint)
        except IntegrityError as error:
            if self.strict:
                raise IntegrityError(
                    error.headline,
                    expected=error.expected,
                    remedy="run it without --strict: it sets the artifact aside and makes it anew",
                ) from error
            aside = self.store.quarantine(slot, key.fingerprint)
            self.report.warning(f"{error.headline}; expected {error.expected}. It is set aside as {aside}.")
            return None, "what was sealed is damaged"
        if sealed is not None:
            return sealed, "same code, config, inputs and libraries"
        closest = self.store.closest(slot, key)
        if closest is None:
            return None, "first time"
        differences = key.differences(closest)
        more = len(differences) - MOST_REASONS
        return None, "; ".join(differences[:MOST_REASONS] + ([f"{more} more"] if more > 0 else []))

    def _failure(self, error: JobError) -> Failure:
        ended = {step.component for step in self.record.steps}
        took = {} if self.current is None or self.current in ended else timing_fields(self.stopwatch)
        return Failure(
            component=self.current, **took, headline=error.headline, expected=error.expected, remedy=error.remedy
        )

    def _end(self, exit_code: ExitCode, **changes: Any) -> None:
        took = duration_fields(read_clocks() - self.began)
        self._update(outcome=outcome_of(exit_code), exit_code=int(exit_code), **took, **changes)

    def _write_pages(self) -> None:
        """Add to report and model card what only the job knows, such as how the run ended.

        Raises:
            StorageError: if the disk is full: all else is no reason to fail over one.
        """
        if self.figures is None:
            return
        directory, made = self.figures.directory, self.figures.artifact
        for field_name, file, name, add in (
            ("report", made.report_file, REPORT, add_run_to_report),
            ("model_card", made.model_card_file, MODEL_CARD, add_run_to_card),
        ):
            if file is None:
                continue
            try:
                page = add((directory / file).read_text(encoding="utf-8"), self.record, command=self.command)
                path = self.runs.write_page(self.record, name, page)
            except (OSError, ValueError) as error:
                what = field_name.replace("_", " ")
                self.report.warning(f"the {what} of the run could not be written: {first_line(error)}")
            else:
                self._update(**{field_name: str(path)})

    def _say_where_followed(self) -> None:
        if (places := self.tracking.locations) != self.record.tracking:
            self._update(tracking=places)

    def _update(self, **changes: Any) -> None:
        self._record = self.record.model_copy(update=changes)
        self.runs.write(self.record)


def run(config: JobConfig, *, console: Console | None = None, use_cache: bool = True) -> RunRecord:
    """Run a configured pipeline and return how it ended.

    SIGTERM and SIGINT end it as they end the command line's job, if this is the main thread.

    Args:
        config: what to run, and where its artifacts are kept.
        console: where to tell about it; by default standard output.
        use_cache: whether what was made before is reused.

    Raises:
        JobError: in one of its kinds, if a step fails; `run.json` says so too.
    """
    signals = Signals()
    with signals.installed():
        return Runner(config, ConsoleReporter(console or Console()), signals, use_cache=use_cache).run()


def as_job_error(error: BaseException, root: Path) -> JobError:
    """Return the JobError for whatever ended a run: itself, or what it comes to."""
    if isinstance(error, StorageError) and error.remedy == FREE_SPACE:
        error.remedy = "free some space (`python -m job gc` lists what no run uses), or set a --root on another disk"
    if isinstance(error, JobError):
        return error
    if isinstance(error, Interrupted):
        return error.error
    if isinstance(error, OSError) and is_disk_full(error, root):
        return as_job_error(disk_full_error(root), root)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return ResourceError(
            f"there is not enough memory: {first_line(error)}",
            expected="memory for the images, the network and a batch",
            remedy="give the job more, or lower trainer.batch_size",
        )
    return JobError(f"a defect: {one_line(error)}", remedy="run again with --debug to see where")

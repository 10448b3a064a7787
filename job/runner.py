"""The runner: for each step look up, run, seal, report; and one exit code at the end."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from components import Artifact, Context, Evaluation, Stored
from components.errors import ExitCode, IntegrityError, JobError, TerminationError, first_line
from job.environment import describe_environment
from job.pipeline import A, flow
from job.recipe import import_string, make_recipe
from job.report import Report
from job.runs import Failure, RunRecord, Runs, StepRecord, outcome_of
from job.store import Sealed, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job.config import JobConfig
    from job.manifest import Recipe


class _Terminate(BaseException):
    """Raised by the signal handler; no component's `except Exception` holds it up."""


class _Reached(Exception):  # noqa: N818  (not an error)
    """The last step that was asked for is done."""


@dataclass
class Runner:
    """Runs a configured pipeline once, and remembers where it is."""

    config: JobConfig
    report: Report
    use_cache: bool = True
    until: str | None = None

    def __post_init__(self) -> None:
        self.store = Store(self.config.root)
        self.runs = Runs(self.config.root)
        self.sealed_by_directory: dict[Any, Sealed] = {}
        self.current: str | None = None
        self._record: RunRecord | None = None

    def run(self) -> RunRecord:
        """Run all steps, up to `until` if it is set, and return how it ended.

        Whatever happens, `record` and `run.json` say how it ended before an error leaves.

        Raises:
            JobError: if a step fails, or the run cannot even begin (then there is no record).
        """
        started = time.perf_counter()
        for component in self.config.pipeline.components().values():
            component.preflight()
        self.store.prepare()
        self.runs.prepare()
        self._record = self.runs.begin(config=self.config.resolved(), environment=describe_environment())
        self.report.begin(self.record)
        exit_code = ExitCode.DEFECT
        try:
            with _termination():
                exit_code = self._run_steps()
        except JobError as error:
            exit_code = self._note(error)
            raise
        except Exception as error:
            unforeseen = defect(error)
            exit_code = self._note(unforeseen)
            raise unforeseen from error
        finally:
            self._update(
                outcome=outcome_of(exit_code),
                exit_code=int(exit_code),
                seconds=round(time.perf_counter() - started, 3),
            )
            self.report.end(self.record)
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
    def has_begun(self) -> bool:
        """Whether there is a record."""
        return self._record is not None

    def _run_steps(self) -> ExitCode:
        with suppress(_Reached):
            flow(self._step)
        return ExitCode.NOT_BLESSED if self.record.blessed is False else ExitCode.SUCCEEDED

    def _step(self, slot: str, made: type[A], /, **inputs: Stored[Any]) -> Stored[A]:
        self.current = slot
        component = self.config.pipeline.components()[slot]
        self.report.begin_step(slot)
        wall, cpu = time.perf_counter(), time.process_time()
        digests = {name: self.sealed_by_directory[stored.directory].manifest.digest for name, stored in inputs.items()}
        recipe = make_recipe(component, digests)
        sealed, reason = self._look_up(slot, recipe)
        reused = sealed is not None
        if sealed is None:
            with self.store.staged(slot, recipe.fingerprint) as output:
                artifact: Artifact = component.run(Context(output=output, progress=self.report), **inputs)
                if not isinstance(artifact, made):
                    raise JobError(
                        f"{recipe.component} returned {type(artifact).__name__}",
                        expected=f"{made.__name__}, as its annotation says",
                        remedy="correct the component",
                    )
                sealed = self.store.seal(slot, recipe, artifact)
        self.sealed_by_directory[sealed.directory] = sealed
        step = StepRecord(
            component=slot,
            implementation=import_string(type(component)),
            status="reused" if reused else "ran",
            reason=reason,
            seconds=round(time.perf_counter() - wall, 3),
            cpu_seconds=round(time.process_time() - cpu, 3),
            fingerprint=sealed.manifest.fingerprint,
            digest=sealed.manifest.digest,
            path=str(sealed.directory),
        )
        self._update(steps=(*self.record.steps, step))
        self.runs.link(self.record, step)
        if isinstance(evaluation := sealed.manifest.artifact, Evaluation):
            self._update(
                metrics=evaluation.metrics.model_dump(mode="json"),
                blessed=evaluation.blessing.verdict == "BLESSED",
                checks=tuple(check.model_dump(mode="json") for check in evaluation.blessing.checks),
            )
        self.report.end_step(step, sealed)
        if slot == self.until:
            raise _Reached
        self.current = None
        return sealed.stored()

    def _look_up(self, slot: str, recipe: Recipe) -> tuple[Sealed | None, str]:
        """Return the sealed artifact to reuse, if any, and why it is reused or not."""
        if not self.use_cache:
            return None, "--no-cache"
        try:
            sealed = self.store.find(slot, recipe.fingerprint)
        except IntegrityError as error:
            aside = self.store.set_aside(slot, recipe.fingerprint)
            self.report.warning(f"{error.headline}; expected {error.expected}. It is set aside as {aside}.")
            return None, "what was sealed is damaged"
        if sealed is not None:
            return sealed, "same code, config, inputs and libraries"
        closest = self.store.closest(slot, recipe)
        return None, "first time" if closest is None else "; ".join(recipe.differences(closest))

    def _note(self, error: JobError) -> ExitCode:
        """Record why the run failed, and return the exit code for it."""
        failure = Failure(component=self.current, headline=error.headline, expected=error.expected, remedy=error.remedy)
        self._update(failure=failure)
        return error.exit_code

    def _update(self, **changes: Any) -> None:
        self._record = self.record.model_copy(update=changes)
        self.runs.write(self.record)


def run(config: JobConfig, *, console: Console | None = None, use_cache: bool = True) -> RunRecord:
    """Run a configured pipeline and return how it ended.

    Args:
        config: what to run, and where its artifacts are kept.
        console: where to tell about it; by default standard output.
        use_cache: whether what was made before is reused.

    Raises:
        JobError: in one of its kinds, if a step fails; `run.json` says so too.
    """
    return Runner(config, Report(console or Console(), config.root), use_cache=use_cache).run()


def defect(error: Exception) -> JobError:
    """Return the JobError for an exception that nobody foresaw."""
    return JobError(
        f"a defect: {type(error).__name__}: {first_line(error)}", remedy="run again with --debug to see where"
    )


@contextmanager
def _termination() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into a TerminationError while the block runs, where signals can be had."""

    def terminate(number: int, frame: object) -> None:  # noqa: ARG001
        raise _Terminate

    try:
        before = {number: signal.signal(number, terminate) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not in the main thread: whoever runs the job there handles signals
        yield
        return
    try:
        yield
    except _Terminate as error:
        raise TerminationError(
            "the job was asked to end",
            remedy="run the same command again: what is sealed is reused",
        ) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

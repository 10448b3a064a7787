"""One step of a run: look up the artifact by its fingerprint, run the component if it is missing, seal, publish."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from components import Artifact, Component, Context
from components.artifacts import Epoch
from components.base.engine import Engine, InProcess
from components.base.errors import SAVED, DataError, IntegrityError, ResourceError, TerminationError
from components.base.importing import import_string
from components.base.termination import Paused
from components.base.timing import Stopwatch
from components.runtime.disk import disk_space_guard
from components.runtime.locks import HeldLock, LockLostError
from components.runtime.resources import peak_memory
from job.reporters.listener import StepListener
from job.runner.look_up import StepFinder, find_taken
from job.runner.run_component import run_component
from job.signals import Signals
from job.store.differences import changes
from job.store.fingerprint import FingerprintInputs
from job.store.records import StepRecord, timing_fields
from job.store.sealed import SealedArtifact
from job.store.staging import Staging


def in_process() -> AbstractContextManager[Engine]:
    """Return the engine that runs tasks in this process."""
    return nullcontext(InProcess())


@dataclass
class StepRun:
    """One execution of a step; its stopwatch can also be read after a failure."""

    slot: str
    component: Component[Any]
    finder: StepFinder
    listener: StepListener
    signals: Signals
    publishes: bool = True
    should_pause: Callable[[Sequence[Epoch]], bool] | None = None
    open_engine: Callable[[], AbstractContextManager[Engine]] = in_process
    stopwatch: Stopwatch = field(init=False)
    source_files: dict[str, str] = field(default_factory=dict)  # with their SHA-256, once the fingerprint is known
    _observations: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = self.finder.store
        self.stopwatch = Stopwatch(on_part=self.listener.begin_part)

    def run(
        self, inputs: dict[str, SealedArtifact], *, run_id: str, commit: Callable[[StepRecord], None]
    ) -> tuple[StepRecord, SealedArtifact]:
        """Return the record of the step and its artifact.

        Args:
            run_id: reported by runs that wait for the artifact.
            commit: stores the record of the step. It is called while the artifact is locked, so that no other run
                produces the artifact a second time, and no garbage collection deletes it before it is referenced.
        """
        with self.stopwatch.timed("fingerprint"), self.signals.interruptible():  # a source may read much data
            key, references = self.finder.key(self.slot, self.component, inputs, run_id=run_id)
        self.source_files = key.source_files
        inputs = inputs | {name: reference.sealed for name, reference in references.found.items()}
        while True:
            with ExitStack() as stack:
                with self.stopwatch.timed("waiting"):
                    held = stack.enter_context(self._acquire(key.fingerprint, run_id))
                try:
                    with self.stopwatch.timed("look-up"):
                        found = self.finder.find(self.slot, key)
                        if found.damage is not None:
                            self._quarantine(key, found.damage, held)
                    sealed = found.sealed or self._produce(key, inputs, held)
                except LockLostError as error:
                    if not held.path.parent.is_dir():  # the whole root is gone
                        raise
                    self.listener.warning(f"{error}; this attempt of the {self.slot} is discarded")
                    self._observations.clear()
                    continue
                published = self._publish(sealed)
                record = StepRecord(
                    component=self.slot,
                    implementation=import_string(type(self.component)),
                    status="ran" if found.sealed is None else "reused",
                    reason=found.reason,
                    **timing_fields(self.stopwatch),
                    fingerprint=sealed.manifest.fingerprint,
                    digest=sealed.manifest.digest,
                    path=self.store.address(sealed.directory),
                    references={name: reference.record() for name, reference in references.found.items()},
                    skipped=references.skipped,
                    observations=self._observations,
                    published=published or None,
                    peak_memory_bytes=peak_memory(),
                )
                commit(record)
                return record, sealed

    def take(
        self, earlier: StepRecord, *, from_run: str, run_id: str, commit: Callable[[StepRecord], None]
    ) -> tuple[StepRecord, SealedArtifact]:
        """Verify the artifact of a step of an earlier run, and return the record of this step and the artifact.

        Args:
            from_run: the id of the earlier run.
            run_id, commit: as for `run`.
        """
        with ExitStack() as stack:
            with self.stopwatch.timed("waiting"):
                stack.enter_context(self._acquire(earlier.fingerprint, run_id))
            with self.stopwatch.timed("look-up"):
                sealed = find_taken(self.store, earlier, from_run)
            record = earlier.model_copy(
                update={
                    "status": "reused",
                    "reason": f"from run {from_run}",
                    **timing_fields(self.stopwatch),
                    "path": self.store.address(sealed.directory),
                    "skipped": {},
                    "observations": {},
                    "published": None,
                    "peak_memory_bytes": None,
                }
            )
            commit(record)
            return record, sealed

    def _acquire(self, fingerprint: str, run_id: str) -> AbstractContextManager[HeldLock]:
        return self.store.acquire(
            self.slot, fingerprint, owner=run_id, on_wait=self.listener.waiting, check=self.signals.check
        )

    def _quarantine(self, key: FingerprintInputs, damage: IntegrityError, held: HeldLock) -> None:
        held.check()  # otherwise another run may have replaced it already
        path = self.store.quarantine(self.slot, key.fingerprint)
        self.listener.warning(
            f"{damage.headline}; expected {damage.expected}. Its files are quarantined in {self.store.address(path)}."
        )

    def _produce(self, key: FingerprintInputs, inputs: dict[str, SealedArtifact], held: HeldLock) -> SealedArtifact:
        # The guard is inside the staging block, where the last write still fills the disk.
        with (
            self.store.staged(self.slot, key.fingerprint, self.listener) as staging,
            disk_space_guard(staging.files),
            self._flushed_if_unsealed(staging),
        ):
            try:
                artifact = self._run_component(key, inputs, staging)
            except (TerminationError, Paused):
                raise
            except Exception:
                # A component may raise anything if its data change. Then the change is the cause to report.
                self._check_unchanged(key, inputs, staging, held)
                raise
            with self.stopwatch.timed("sealing"):
                self._check_unchanged(key, inputs, staging, held)
                try:
                    return self.store.seal(staging, key, artifact, self.listener.warning)
                except OSError:
                    held.check()  # the run that took the lock deleted the staged files
                    raise

    @contextmanager
    def _flushed_if_unsealed(self, staging: Staging) -> Iterator[None]:
        """Let other machines continue from the last checkpoint of a block that fails, is interrupted, or pauses."""
        try:
            yield
        except BaseException as error:
            is_shared = False  # if a second signal ends the block
            with self.signals.interruptible_by_repetition():
                is_shared = staging.flush_checkpoints(
                    self.signals.requested_for, hurry=isinstance(error, ResourceError)
                )
            if isinstance(error, TerminationError) and SAVED in error.headline and not is_shared:
                raise error.on_this_machine() from error
            raise

    def _run_component(self, key: FingerprintInputs, inputs: dict[str, SealedArtifact], staging: Staging) -> Artifact:
        with self.open_engine() as engine:
            context = Context(
                output=staging.files,
                progress=self.listener,
                termination=self.signals,
                engine=engine,
                checkpoints=staging.checkpoints,
                checkpoint_saved=staging.checkpoint_saved,
                cluster=self.component.cluster(),
                fingerprint=key.fingerprint,
                should_pause=self.should_pause,
                stopwatch=self.stopwatch,
                observations=self._observations,
            )
            return run_component(self.component, context, inputs, self.signals)

    def _check_unchanged(
        self, key: FingerprintInputs, inputs: dict[str, SealedArtifact], staging: Staging, held: HeldLock
    ) -> None:
        """Check that the step still has its lock, and that what it read is what the fingerprint covers.

        A change that was undone before this check is not detected.

        Raises:
            LockLostError: if another run took the lock.
            DataError: if the data or the inputs changed; checkpoints, which may come from them, are deleted.
        """
        held.check()
        try:
            for sealed in inputs.values():
                sealed.verify()
            # A source is hashed again, which may take long. But finished work is sealed if a signal came before.
            with nullcontext() if self.signals.requested else self.signals.interruptible():
                changed = changes(key.producer.config, self.component.identity())
            if changed:
                raise DataError(
                    f"the data changed while they were read: {self.slot} {changed[0]}",
                    expected="the same data from the fingerprint to the end of the step",
                    remedy="run it again when no other program writes to them; nothing was sealed",
                )
        except DataError:
            staging.discard_checkpoints()
            raise

    def _publish(self, sealed: SealedArtifact) -> str:
        """Publish the artifact, also if it is reused; return where, or an empty text."""
        if not (self.publishes and can_publish(self.component)):
            return ""
        with self.stopwatch.timed("publishing"), self.signals.interruptible():
            return self.component.publish(sealed.stored(), self.listener)


def can_publish(component: Component[Any]) -> bool:
    """Return whether a component publishes its artifact outside of the root."""
    return type(component).publish is not Component.publish

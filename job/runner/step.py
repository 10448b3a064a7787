"""One step of a run: look up the artifact by its fingerprint, run the component if it is missing, seal, publish."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from components import Artifact, Component, Context, Stored
from components.base.errors import IntegrityError, JobError
from components.base.timing import Stopwatch
from components.runtime.disk import disk_space_guard
from components.runtime.locks import acquire
from job.pipeline.slots import import_string
from job.reporters.listener import RunListener
from job.signals import Signals
from job.store.fingerprint import FingerprintInputs, fingerprint_inputs
from job.store.records import StepRecord, timing_fields
from job.store.resolve import ArtifactResolver, ResolvedArtifact
from job.store.store import SealedArtifact, Store

MAX_REASONS = 4
"""Differences that the reason of a step lists; with another data set nearly everything differs."""


@dataclass
class StepRun:
    """One execution of a step; its stopwatch can also be read after a failure."""

    slot: str
    component: Component[Any]
    store: Store
    resolver: ArtifactResolver
    listener: RunListener
    signals: Signals
    use_cache: bool
    strict: bool
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    _observations: dict[str, float] = field(default_factory=dict)

    def run(
        self,
        output: type[Artifact],
        inputs: dict[str, Stored[Any]],
        digests: dict[str, str],
        *,
        run_id: str,
        commit: Callable[[StepRecord], None],
    ) -> tuple[StepRecord, SealedArtifact]:
        """Return the record of the step and its artifact.

        Args:
            digests: the content digests of `inputs`.
            run_id: reported by runs that wait for the artifact.
            commit: stores the record of the step. It is called while the artifact is locked, so that no other run
                produces the artifact a second time, and no garbage collection deletes it before it is referenced.
        """
        with self.stopwatch.timed("fingerprint"), self.signals.interruptible():  # a source may read much data
            key, references = self._fingerprint(digests)
        inputs = inputs | {name: reference.sealed.stored() for name, reference in references.items()}
        with ExitStack() as stack:
            lock = self.store.lock(self.slot, key.fingerprint)
            with self.stopwatch.timed("waiting"):
                stack.enter_context(
                    acquire(lock, owner=run_id, on_wait=self.listener.waiting, check=self.signals.check)
                )
            with self.stopwatch.timed("look-up"):
                found, reason = self._look_up(key)
            sealed = found or self._produce(key, output, inputs)
            published = self._publish(sealed)
            record = StepRecord(
                component=self.slot,
                implementation=import_string(type(self.component)),
                status="reused" if found else "ran",
                reason=reason,
                **timing_fields(self.stopwatch),
                fingerprint=sealed.manifest.fingerprint,
                digest=sealed.manifest.digest,
                path=str(sealed.directory),
                references={name: reference.record() for name, reference in references.items()},
                observations=self._observations,
                published=published or None,
            )
            commit(record)
        return record, sealed

    def _fingerprint(self, digests: dict[str, str]) -> tuple[FingerprintInputs, dict[str, ResolvedArtifact]]:
        key = fingerprint_inputs(self.component, digests)
        references = self.resolver.resolve(self.slot, self.component, key)
        if references:
            digests = digests | {name: reference.sealed.manifest.digest for name, reference in references.items()}
            key = fingerprint_inputs(self.component, digests)
        return key, references

    def _look_up(self, key: FingerprintInputs) -> tuple[SealedArtifact | None, str]:
        if not self.use_cache:
            return None, "--no-cache"
        try:
            sealed = self.store.find(self.slot, key.fingerprint)
        except IntegrityError as error:
            if self.strict:
                remedy = "run it without --strict: it quarantines the artifact and produces it again"
                raise IntegrityError(error.headline, expected=error.expected, remedy=remedy) from error
            path = self.store.quarantine(self.slot, key.fingerprint)
            self.listener.warning(f"{error.headline}; expected {error.expected}. Quarantined in {path}.")
            return None, "the sealed artifact is damaged"
        if sealed is not None:
            return sealed, "same code, config, inputs and libraries"
        closest = self.store.closest(self.slot, key)
        if closest is None:
            return None, "first time"
        differences = key.differences(closest)
        more = len(differences) - MAX_REASONS
        return None, "; ".join([*differences[:MAX_REASONS], *([f"{more} more"] if more > 0 else [])])

    def _produce(
        self, key: FingerprintInputs, output: type[Artifact], inputs: dict[str, Stored[Any]]
    ) -> SealedArtifact:
        with self.store.staged(self.slot, key.fingerprint) as staging:
            context = Context(
                output=staging.files,
                progress=self.listener,
                termination=self.signals,
                checkpoints=staging.checkpoints,
                fingerprint=key.fingerprint,
                stopwatch=self.stopwatch,
                observations=self._observations,
            )
            # Inside the staging block, where the last write still fills the disk.
            with disk_space_guard(staging.files):
                with self.signals.interruptible():
                    artifact: Artifact = self.component.run(context, **inputs)
                if not isinstance(artifact, output):
                    problem = f"{key.producer.component} returned {type(artifact).__name__}"
                    expected = f"{output.__name__}, as in its annotation"
                    raise JobError(problem, expected=expected, remedy="correct the component")
                with self.stopwatch.timed("sealing"):
                    return self.store.seal(self.slot, key, artifact, self.listener.warning)

    def _publish(self, sealed: SealedArtifact) -> str:
        """Publish the artifact, also if it is reused; return where, or an empty text."""
        if type(self.component).publish is Component.publish:
            return ""
        with self.stopwatch.timed("publishing"), self.signals.interruptible():
            return self.component.publish(sealed.stored(), self.listener)

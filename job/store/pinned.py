"""References of a rebuilt run, pinned to the artifacts that the original run used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from components import Artifact, Component
from components.base.errors import IntegrityError
from job.store.artifact_resolver import Resolution, ResolvedArtifact
from job.store.fingerprint import FingerprintInputs
from job.store.opened import local_path, open_store, open_store_of
from job.store.records import ReferenceRecord, RunRecord, StepRecord
from job.store.resolve import FoundRun
from job.store.sealed import SealedArtifact
from job.store.store import Store


@dataclass(frozen=True)
class OriginalRun:
    """A run that is rebuilt, and the root with its artifacts."""

    found: FoundRun

    @property
    def record(self) -> RunRecord:
        """Its record."""
        return self.found.record

    @cached_property
    def store(self) -> Store:
        """The store with its artifacts."""
        return open_store(self.found.root)

    @cached_property
    def steps(self) -> dict[str, StepRecord]:
        """Its finished steps."""
        return {step.component: step for step in self.record.steps}

    def has_output(self, step: StepRecord) -> bool:
        """Return whether a step of another run has the same content as the step of this one."""
        return self.steps[step.component].digest == step.digest


@dataclass(frozen=True)
class PinnedResolver:
    """Finds the artifacts of earlier runs that the original run used, also if `latest-blessed` is another one now."""

    original: OriginalRun
    _found: dict[tuple[str, str], ResolvedArtifact] = field(default_factory=dict)

    def check(self, slot: str, component: Component[Any]) -> None:
        """Check that the artifacts that a component used exist and are undamaged."""
        step = self.original.steps.get(slot)
        for name in component.references() if step is not None else ():
            if step is not None and (reference := step.references.get(name)) is not None:
                sealed = self._find(slot, name, reference)
                self._found[slot, name] = ResolvedArtifact(sealed, reference.requested, reference.run_id)

    def resolve(
        self,
        slot: str,
        component: Component[Any],
        key: FingerprintInputs,  # noqa: ARG002
        inputs: Mapping[str, Artifact],  # noqa: ARG002
        *,
        run_id: str | None = None,  # noqa: ARG002
    ) -> Resolution:
        """Return the artifact of each optional input that the original run used, after `check`."""
        names = [name for name in component.references() if (slot, name) in self._found]
        return Resolution({name: self._found[slot, name] for name in names})

    def _find(self, slot: str, name: str, reference: ReferenceRecord) -> SealedArtifact:
        store, here = self.original.store, self.original.store.directory(reference.component, reference.fingerprint)
        directory = here if here.is_dir() else Path(local_path(reference.path))
        what = f"the {name} of the {slot} in run {self.original.record.run_id}"
        if not directory.is_dir():
            remedy = "restore it, or rebuild another run: without it the result would differ"
            raise IntegrityError(f"{directory} does not exist", expected=f"{what}, with its content", remedy=remedy)
        sealed = open_store_of(directory, store).read(reference.component, directory)
        if sealed.manifest.digest != reference.digest:
            raise IntegrityError(
                f"{directory} has the digest {sealed.manifest.digest}", expected=f"{what}, {reference.digest}"
            )
        sealed.check()
        return sealed

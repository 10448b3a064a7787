"""The look-up of a step, for runs and plans: its fingerprint, and whether a sealed artifact is reused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components import Component
from components.base.errors import IntegrityError
from job.store.artifact_resolver import ArtifactResolver, Resolution
from job.store.fingerprint import FingerprintInputs, closest, fingerprint_inputs
from job.store.manifest import SchemaVersionError
from job.store.pinned import PinnedResolver
from job.store.records import StepRecord
from job.store.sealed import SealedArtifact
from job.store.store import Store

MAX_REASONS = 4
"""Maximum number of differences in the reason of a step; with another data set nearly everything differs."""
NO_CACHE = "--no-cache"


@dataclass(frozen=True)
class LookUp:
    """The result of a look-up."""

    sealed: SealedArtifact | None
    """The artifact to reuse, verified; None if the component has to run."""
    reason: str
    damage: IntegrityError | None = None
    """Why the artifact with the fingerprint is damaged; None if it is undamaged, or does not exist."""


@dataclass(frozen=True)
class StepFinder:
    """Finds the sealed artifacts of steps in one root."""

    store: Store
    resolver: ArtifactResolver | PinnedResolver
    use_cache: bool = True
    """Whether sealed artifacts are reused."""
    strict: bool = False
    """Whether a damaged artifact is an error; otherwise the component has to run."""

    def key(
        self, slot: str, component: Component[Any], inputs: Mapping[str, SealedArtifact], *, run_id: str | None = None
    ) -> tuple[FingerprintInputs, Resolution]:
        """Return the fingerprint inputs and the optional inputs; `run_id` is the run in progress."""
        digests = {name: sealed.manifest.digest for name, sealed in inputs.items()}
        key = fingerprint_inputs(component, digests)
        artifacts = {name: sealed.manifest.artifact for name, sealed in inputs.items()}
        references = self.resolver.resolve(slot, component, key, artifacts, run_id=run_id)
        if found := references.found:
            digests |= {name: reference.sealed.manifest.digest for name, reference in found.items()}
            key = key.model_copy(update={"inputs": digests})
        return key, references

    def find(self, slot: str, key: FingerprintInputs) -> LookUp:
        """Return the artifact to reuse, or why the component has to run.

        Raises:
            SchemaVersionError: if another version of the job sealed the artifact.
            IntegrityError: if the artifact is damaged, with `strict`.
        """
        if not self.use_cache:
            self.store.check_replaceable(slot, key.fingerprint)
            return LookUp(None, NO_CACHE)
        try:
            sealed = self.store.find(slot, key.fingerprint)
        except SchemaVersionError:
            raise
        except IntegrityError as error:
            if self.strict:
                remedy = "run it without --strict: it quarantines the artifact and produces it again"
                raise IntegrityError(error.headline, expected=error.expected, remedy=remedy) from error
            return LookUp(None, "the sealed artifact is damaged", error)
        if sealed is not None:
            return LookUp(sealed, "same code, config, inputs and libraries")
        others = (other.manifest.fingerprint_inputs for other in self.store.newest_first(slot))
        return LookUp(None, why_it_runs(key, closest(others, key)))


def find_taken(store: Store, step: StepRecord, from_run: str) -> SealedArtifact:
    """Return the verified artifact of a step of an earlier run; raise IntegrityError if it is missing or differs."""
    remedy = f"run all steps again with `--config {from_run}`, or name another run"
    try:
        sealed = store.find(step.component, step.fingerprint)
    except SchemaVersionError:
        raise
    except IntegrityError as error:  # nothing produces it again in this run
        raise IntegrityError(error.headline, expected=error.expected, remedy=remedy) from error
    if sealed is None or sealed.manifest.digest != step.digest:
        directory = store.directory(step.component, step.fingerprint)
        raise IntegrityError(
            f"{directory} " + ("does not exist" if sealed is None else "is not the artifact of the run"),
            expected=f"the artifact of run {from_run}",
            remedy=remedy,
        )
    return sealed


def why_it_runs(key: FingerprintInputs, other: FingerprintInputs | None) -> str:
    """Return the differences from the closest artifact, or that there is none."""
    if other is None:
        return "first time"
    differences = key.differences(other)
    more = len(differences) - MAX_REASONS
    return "; ".join([*differences[:MAX_REASONS], *([f"{more} more"] if more > 0 else [])])

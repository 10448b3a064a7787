"""Resolve references: from a name in the configuration to a sealed artifact of an earlier run."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from components import Artifact, Component, Pusher
from components.base.errors import ConfigError, IntegrityError
from components.base.paths import require_path
from job.pipeline.slots import SLOTS
from job.store.fingerprint import FingerprintInputs
from job.store.manifest import MANIFEST
from job.store.opened import local_path, open_store, open_store_of
from job.store.records import ReferenceRecord, RunRecord
from job.store.resolve import FoundRun, NoSuchRunError, locate_run
from job.store.root import address
from job.store.run_names import LATEST_BLESSED
from job.store.runs import Runs
from job.store.sealed import SealedArtifact
from job.store.store import Store

FINGERPRINT = re.compile("[0-9a-f]{64}")
UNREADABLE = "that cannot be read"


@dataclass(frozen=True)
class ResolvedArtifact:
    """The artifact that was found for a name."""

    sealed: SealedArtifact
    requested: str
    run_id: str | None = None
    """The run by which it was found; None if it was found by its path."""

    def record(self) -> ReferenceRecord:
        """Return the entry for `run.json`."""
        manifest = self.sealed.manifest
        return ReferenceRecord(
            requested=self.requested,
            run_id=self.run_id,
            component=self.sealed.slot,
            fingerprint=manifest.fingerprint,
            digest=manifest.digest,
            path=address(self.sealed.directory),
        )


@dataclass(frozen=True)
class Resolution:
    """The artifacts that were found for the optional inputs of a step, and what was skipped."""

    found: dict[str, ResolvedArtifact] = field(default_factory=dict)
    skipped: dict[str, dict[str, int]] = field(default_factory=dict)
    """By input and reason: how many newer blessed artifacts `latest-blessed` skipped."""


@dataclass(frozen=True)
class ArtifactResolver:
    """Finds the artifacts of earlier runs that a configuration refers to, in the store and runs of one root."""

    store: Store
    runs: Runs
    _checked: dict[tuple[str, str], ResolvedArtifact] = field(default_factory=dict)
    """By slot and input; kept, because `runs/latest` changes when another run ends."""

    def check(self, slot: str, component: Component[Any]) -> None:
        """Check that the artifacts to which a component refers by a run's id or a path exist."""
        optional = type(component).signature().optional
        for name, requested in component.references().items():
            if name not in optional:
                raise ConfigError(
                    f"{slot}.{name} is `{requested}`, but {type(component).__name__} has no input {name}",
                    expected=f"`{name}: Stored[...] | None = None` among the arguments of its run",
                    remedy=f"add it, or remove {slot}.{name}",
                )
            if requested != LATEST_BLESSED:
                self._checked[slot, name] = self.find(f"{slot}.{name}", requested, optional[name])

    def resolve(
        self,
        slot: str,
        component: Component[Any],
        key: FingerprintInputs,
        inputs: Mapping[str, Artifact],
        *,
        run_id: str | None = None,
    ) -> Resolution:
        """Return the artifact of each optional input that a component refers to, after `check`.

        `latest-blessed` may find nothing. It skips artifacts of this very step, which has the fingerprint inputs
        `key` without optional inputs: compared with itself, a model would never be worse. It also skips the run in
        progress, `run_id`.
        """
        types = type(component).signature().optional
        resolution = Resolution(self.named(slot))
        for name, requested in component.references().items():
            if requested == LATEST_BLESSED:
                skipped: Counter[str] = Counter()
                mismatch = partial(component.mismatch, name, inputs=inputs)
                earlier = (record for record in self.runs.blessed() if record.run_id != run_id)
                if (found := self._latest_blessed(earlier, types[name], key, mismatch, skipped)) is not None:
                    resolution.found[name] = found
                if skipped:
                    resolution.skipped[name] = dict(skipped)
        return resolution

    def named(self, slot: str) -> dict[str, ResolvedArtifact]:
        """Return the artifacts to which the component of a slot refers by a run's id or a path, after `check`."""
        found = {name: found for (of, name), found in self._checked.items() if of == slot}
        for resolved in found.values():
            resolved.sealed.check()  # it may be damaged since
        return found

    def find(self, option: str, name: str, artifact_type: type[Artifact]) -> ResolvedArtifact:
        """Return the artifact of a type by any name of its run, or by its own path; messages have `option`."""
        requested, name = name, local_path(name)
        path = require_path(option, name)
        try:
            found = locate_run(self.runs.root, name, option=option)
        except NoSuchRunError:
            if os.sep in name or path.is_dir():
                return ResolvedArtifact(self._find_at(path, option, artifact_type), requested)
            raise
        return self.output_of(found, option, requested, artifact_type)

    def output_of(self, found: FoundRun, option: str, name: str, artifact_type: type[Artifact]) -> ResolvedArtifact:
        """Return the artifact of a type that a run produced; `name` is how the run was requested."""
        require_path(option, found.folder.resolve())  # a link may lead to a path that no record can have
        slot, store = slot_of(artifact_type), open_store(found.root)
        for step in found.record.producers(slot):
            directory = store.directory(step.component, step.fingerprint)
            if not os.path.lexists(directory):
                directory = (found.folder / step.component).resolve()  # of a folder that is in no root
            if not os.path.lexists(directory):
                problem = f"{directory} does not exist"
                raise IntegrityError(problem, expected="the artifact of the run", remedy="name another run")
            sealed = store.read(step.component, directory)
            if isinstance(sealed.manifest.artifact, artifact_type):
                sealed.check()
                return ResolvedArtifact(sealed, name, found.record.run_id)
        raise _no_such_step(option, name, slot)

    def _latest_blessed(
        self,
        records: Iterable[RunRecord],
        artifact_type: type[Artifact],
        key: FingerprintInputs,
        mismatch: Callable[[Artifact], str],
        skipped: Counter[str],
    ) -> ResolvedArtifact | None:
        slot, seen = slot_of(artifact_type), set()
        for record in records:
            for step in record.steps:
                if step.component != slot or step.fingerprint in seen:
                    continue
                seen.add(step.fingerprint)
                try:
                    sealed = self.store.read(slot, self.store.directory(slot, step.fingerprint))
                    if _is_same_step(sealed.manifest.fingerprint_inputs, key):
                        continue
                    if not (reason := mismatch(sealed.manifest.artifact)):
                        sealed.check()
                        return ResolvedArtifact(sealed, LATEST_BLESSED, record.run_id)
                except IntegrityError:
                    reason = UNREADABLE
                skipped[reason] += 1
        return None

    def _find_at(self, path: Path, option: str, artifact_type: type[Artifact]) -> SealedArtifact:
        """Return the sealed artifact in a folder, which may be in another root."""
        slot = slot_of(artifact_type)
        directory = require_path(option, path.resolve())
        if not directory.is_dir():
            expected, remedy = "the folder of a run, or of a sealed artifact", f"correct or remove {option}"
            raise ConfigError(f"{option} is {path}, which is not a folder", expected=expected, remedy=remedy)
        # A folder named like an artifact in a store, but without a manifest, is damaged.
        if not (os.path.lexists(directory / MANIFEST) or FINGERPRINT.fullmatch(directory.name)):
            is_version = Pusher.read_version(directory) is not None
            raise ConfigError(
                f"{option} is {path}, which is neither a sealed artifact nor a run",
                expected="the folder of a run, or of a sealed artifact with its manifest.json",
                remedy=f"find its artifact with `python -m job show {path}`" if is_version else f"correct {option}",
            )
        sealed = open_store_of(directory, self.store).read(slot, directory)
        sealed.check()
        if not isinstance(sealed.manifest.artifact, artifact_type):
            problem = f"{option} is {path}, an artifact of the kind {sealed.manifest.artifact.kind}"
            raise ConfigError(problem, expected=f"an artifact of a {slot}", remedy=f"correct {option}")
        return sealed


def slot_of(artifact_type: type[Artifact]) -> str:
    """Return the slot whose component returns the type; for the type of a custom step, its kind."""
    kind = str(artifact_type.model_fields["kind"].default)
    return next((slot for slot, component in SLOTS.items() if component.signature().output is artifact_type), kind)


def _is_same_step(sealed: FingerprintInputs, key: FingerprintInputs) -> bool:
    """Return whether an artifact has the inputs of `key`, which has no optional ones; without inputs, its config."""
    inputs = {name: sealed.inputs.get(name) for name in key.inputs}
    return inputs == key.inputs if key.inputs else sealed.producer.config == key.producer.config


def _no_such_step(option: str, name: object, slot: str) -> ConfigError:
    problem, remedy = f"{option} is `{name}`, a run without a finished {slot}", f"name another run, or {LATEST_BLESSED}"
    return ConfigError(problem, expected="a run with such a step", remedy=remedy)

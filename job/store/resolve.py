"""References: from what a configuration calls an artifact of an earlier run to the sealed artifact."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Pusher
from components.artifacts import Evaluation, GraphOperation, Model, Stored, TransformedExamples
from components.base.errors import ConfigError, IntegrityError
from job.pipeline.slots import SLOTS
from job.store.integrity import verify
from job.store.lineage import sealed_artifacts
from job.store.manifest import MANIFEST
from job.store.records import ReferenceRecord
from job.store.runs import RECORD, Runs
from job.store.store import Store

if TYPE_CHECKING:
    from components import Artifact, Component
    from job.store.fingerprint import FingerprintInputs
    from job.store.records import StepRecord
    from job.store.store import SealedArtifact

FINGERPRINT = re.compile("[0-9a-f]{64}")
"""Names the folder of an artifact in a store: without a manifest it is damaged."""
LATEST_BLESSED = "latest-blessed"
"""The newest run whose model was blessed."""


@dataclass(frozen=True)
class ResolvedArtifact:
    """What was found for a name."""

    sealed: SealedArtifact
    asked: str
    run_id: str | None = None
    """The run by which it was found, if it was."""

    def record(self) -> ReferenceRecord:
        """Return what `run.json` holds of it."""
        manifest = self.sealed.manifest
        return ReferenceRecord(
            requested=self.asked,
            run_id=self.run_id,
            component=self.sealed.slot,
            fingerprint=manifest.fingerprint,
            digest=manifest.digest,
            path=str(self.sealed.directory),
        )


@dataclass(frozen=True)
class ArtifactResolver:
    """Finds what configurations refer to.

    Attributes:
        store: the artifacts of the root.
        runs: the runs of the same root.
    """

    store: Store
    runs: Runs
    _found: dict[tuple[str, str], ResolvedArtifact] = field(default_factory=dict)
    """What `check` found, by slot and input: `runs/latest` leads elsewhere once a run has begun."""

    def check(self, slot: str, component: Component[Any]) -> None:
        """See, before anything runs, that what a component refers to by a run's id or a path is there.

        Raises:
            ConfigError: if it is not.
            IntegrityError: if it is damaged.
        """
        optional = type(component).signature().optional
        for name, asked in component.references().items():
            if name not in optional:
                raise ConfigError(
                    f"{slot}.{name} is `{asked}`, but {type(component).__name__} takes no {name}",
                    expected=f"`{name}: Stored[...] | None = None` among the arguments of its run",
                    remedy=f"add it, or take {slot}.{name} away",
                )
            if asked != LATEST_BLESSED:
                self._found[slot, name] = self.find(f"{slot}.{name}", asked, optional[name])

    def resolve(self, slot: str, component: Component[Any], key: FingerprintInputs) -> dict[str, ResolvedArtifact]:
        """Return what is found for each optional input that a component refers to.

        `latest-blessed` may find nothing, and passes over what this very step has made before: compared with
        itself, nothing would ever be worse. All others are found, or it is an error.

        Args:
            slot: the component's.
            component: whose configuration refers.
            key: of the step, without what is referred to.

        Raises:
            ConfigError: if a run or an artifact is not there.
            IntegrityError: if it is damaged.
        """
        kinds = type(component).signature().optional
        found = {
            name: self._latest_blessed(kinds[name], key)
            if asked == LATEST_BLESSED
            else self._checked(slot, name) or self.find(f"{slot}.{name}", asked, kinds[name])
            for name, asked in component.references().items()
        }
        return {name: reference for name, reference in found.items() if reference is not None}

    def _checked(self, slot: str, name: str) -> ResolvedArtifact | None:
        """Return what `check` found, which may have been damaged since."""
        found = self._found.get((slot, name))
        if found is not None:
            verify(found.sealed.directory, found.sealed.manifest)
        return found

    def _latest_blessed(self, kind: type[Artifact], key: FingerprintInputs) -> ResolvedArtifact | None:
        for record in self.runs.blessed():
            for step in record.steps:
                if step.component != slot_of(kind):
                    continue
                with suppress(IntegrityError):  # gone, or damaged: an older one may be whole
                    sealed = self._sealed(step)
                    if not is_the_same_step(sealed.manifest.fingerprint_inputs, key):
                        return ResolvedArtifact(sealed, LATEST_BLESSED, record.run_id)
        return None

    def find(self, place: str, asked: str, kind: type[Artifact]) -> ResolvedArtifact:
        """Return the artifact of a kind that is called by a run's id, or by the path of a run or of itself.

        Args:
            place: what calls it so, such as a key of the configuration.
            asked: what it is called.
            kind: what it must be.

        Raises:
            ConfigError: if there is no such run or artifact, or it is of another kind.
            IntegrityError: if it is damaged.
        """
        path = Path(asked).expanduser()
        if os.sep in asked or path.is_dir():
            return ResolvedArtifact(self._at(path, place, kind), asked)
        wanted = slot_of(kind)
        try:
            record = self.runs.read(asked)
        except ConfigError as error:
            raise ConfigError(
                f"{place} is `{asked}`: {error.headline}",
                expected=f"{LATEST_BLESSED}, a run's id, or the path of an artifact",
                remedy=f"correct {place}, or take it away",
            ) from error
        steps = {step.component: step for step in record.steps}
        if wanted not in steps:
            raise _too_short(place, asked, wanted)
        return ResolvedArtifact(self._sealed(steps[wanted]), asked, record.run_id)

    def _sealed(self, step: StepRecord) -> SealedArtifact:
        sealed = self.store.find(step.component, step.fingerprint)
        if sealed is None:
            directory = self.store.directory(step.component, step.fingerprint)
            raise IntegrityError(
                f"{directory} is not there any more", expected="what the run made", remedy="name another run"
            )
        return sealed

    def _at(self, path: Path, place: str, kind: type[Artifact]) -> SealedArtifact:
        """Return the sealed artifact in a folder, or that of a run's folder, also of another root."""
        wanted = slot_of(kind)
        directory = (path / wanted if (path / wanted).is_dir() else path).resolve()
        if not directory.is_dir():
            raise ConfigError(
                f"{place} is {path}, where there is no folder",
                expected="the folder of a run, or of a sealed artifact",
                remedy=f"correct {place}, or take it away",
            )
        if (directory / RECORD).is_file():
            raise _too_short(place, path, wanted)
        if not (os.path.lexists(directory / MANIFEST) or FINGERPRINT.fullmatch(directory.name)):
            raise ConfigError(
                f"{place} is {path}, which is no sealed artifact and no run",
                expected="the folder of a run, or of a sealed artifact, with its manifest.json",
                remedy=f"`python -m job show {path}` tells what this version was made of"
                if Pusher.read_version(directory) is not None
                else f"correct {place}",
            )
        sealed = self.store.read(wanted, directory)
        verify(directory, sealed.manifest)
        if not isinstance(sealed.manifest.artifact, kind):
            raise ConfigError(
                f"{place} is {path}, an artifact of the kind {sealed.manifest.artifact.kind}",
                expected=f"one that a step {wanted} made",
                remedy=f"correct {place}",
            )
        return sealed


def _too_short(place: str, asked: object, wanted: str) -> ConfigError:
    return ConfigError(
        f"{place} is `{asked}`, a run that did not come to its {wanted}",
        expected="a run with such a step",
        remedy=f"name another run, or {LATEST_BLESSED}",
    )


def slot_of(kind: type[Artifact]) -> str:
    """Return the slot that makes artifacts of a kind."""
    return next(slot for slot, component in SLOTS.items() if component.signature().output is kind)


def is_the_same_step(made: FingerprintInputs, key: FingerprintInputs) -> bool:
    """Return whether a key says what another says that refers to nothing: the same inputs, or config without any."""
    inputs = {name: made.inputs.get(name) for name in key.inputs}
    return inputs == key.inputs if key.inputs else made.producer.config == key.producer.config


MODEL_OPTION = "--model"


@dataclass(frozen=True)
class ResolvedModel:
    """A model whose every file was verified, and what is to be known to ask it."""

    stored: Stored[Model]
    evaluation: Stored[Evaluation] | None
    """That of the run; None for a model that was not named by a run, or that nobody evaluated."""
    sealed: SealedArtifact
    """The model as it lies in its store."""

    @property
    def graph(self) -> tuple[GraphOperation, ...]:
        """What turns raw images into those that it was trained on; empty if it has a SavedModel, which does so itself.

        Raises:
            IntegrityError: if the examples that it was trained on are not in the store any more.
        """
        if self.stored.artifact.saved_model is not None:
            return ()
        examples: Stored[TransformedExamples] = find_training_examples(self.sealed).stored()
        return examples.artifact.graph

    @property
    def temperature(self) -> float | None:
        """By which its evaluation divided the logits; None if it did not."""
        calibration = None if self.evaluation is None else self.evaluation.artifact.calibration
        return calibration.temperature if calibration is not None and calibration.applied else None


def resolve_model(root: Path, asked: str | None) -> ResolvedModel:
    """Return the model that is to answer.

    Args:
        root: whose runs are looked through.
        asked: a run's id, `latest`, the path of a run or of a sealed model; by default the latest blessed run.

    Raises:
        ConfigError: if there is no such model.
        IntegrityError: if it is damaged.
    """
    references = ArtifactResolver(Store(root), Runs(root))
    asked = newest_blessed(references.runs) if asked in (None, LATEST_BLESSED) else str(asked)
    found = references.find(MODEL_OPTION, asked, Model)
    model = found.sealed
    evaluated = found.run_id is not None and any(
        step.component == slot_of(Evaluation) for step in references.runs.read(found.run_id).steps
    )
    if evaluated or (Path(asked).expanduser() / slot_of(Evaluation)).is_dir():
        evaluation = references.find(MODEL_OPTION, asked, Evaluation).sealed.stored()
    else:
        evaluation = None
    stored: Stored[Model] = model.stored()
    return ResolvedModel(stored, evaluation, model)


def newest_blessed(runs: Runs) -> str:
    """Return the id of the newest run whose model was blessed.

    Raises:
        ConfigError: if there is none.
    """
    record = next(runs.blessed(), None)
    if record is None:
        raise ConfigError(
            f"{runs.root} has no run whose model was blessed",
            expected=f"one, or a model that is named with {MODEL_OPTION}",
            remedy=f"name a run with {MODEL_OPTION}, another root with --root, or train a model first",
        )
    return record.run_id


def find_training_examples(model: SealedArtifact) -> SealedArtifact:
    """Return the examples that a model was trained on, which lie in the same store.

    Raises:
        IntegrityError: if they are not there any more.
    """
    above = model.directory.parents
    store = Store(above[2] if len(above) > 2 else above[0])
    digests = set(model.manifest.inputs.values())
    for sealed in sealed_artifacts(store):
        if sealed.manifest.digest in digests and isinstance(sealed.manifest.artifact, TransformedExamples):
            return sealed
    raise IntegrityError(
        f"{model.directory} was trained on examples that {store.root} does not have any more",
        expected="what its transform made, which says how raw images are to be scaled",
        remedy=f"name another model with {MODEL_OPTION}, or run the job again",
    )

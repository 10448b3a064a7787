"""Resolve names: from a run's id, `latest-blessed` or a path to a sealed artifact or a trained model."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Artifact, Component, Pusher
from components.artifacts import Evaluation, GraphOperation, Model, Stored, TransformedExamples
from components.base.errors import ConfigError, IntegrityError
from components.base.paths import require_path
from job.pipeline.slots import SLOTS
from job.store.fingerprint import FingerprintInputs
from job.store.lineage import find_training_examples
from job.store.manifest import MANIFEST
from job.store.records import ReferenceRecord, RunRecord, StepRecord
from job.store.run_names import LATEST_BLESSED, Tags
from job.store.runs import LATEST, RECORD, Runs, read_record
from job.store.store import SealedArtifact, Store

if TYPE_CHECKING:
    from components.inference import RawPredictor

FINGERPRINT = re.compile("[0-9a-f]{64}")
UNREADABLE = "that cannot be read"
MODEL_OPTION = "--model"


def find_run(root: Path, name: str = LATEST) -> RunRecord:
    """Return a run by its id, folder, tag or name (the newest with it), or as `latest` or `latest-blessed`.

    Raises:
        ConfigError: if there is no such run.
        IntegrityError: if its record is damaged.
    """
    runs = Runs(root)
    if os.path.isfile(os.path.join(name, RECORD)):  # noqa: PTH113, PTH118  (False for a long name)
        return read_record(Path(name).resolve())
    if name == LATEST_BLESSED:
        if (blessed := next(runs.blessed(), None)) is not None:
            return blessed
    elif not runs.exists(name):
        if (run_id := Tags(root).read().get(name)) is not None:
            return runs.read(run_id)
        if (named := next((record for record in runs.newest_first() if record.name == name), None)) is not None:
            return named
    return runs.read(name)


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
            path=str(self.sealed.directory),
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
        self, slot: str, component: Component[Any], key: FingerprintInputs, inputs: Mapping[str, Artifact]
    ) -> Resolution:
        """Return the artifact of each optional input that a component refers to, after `check`.

        `latest-blessed` may find nothing. It skips artifacts of this very step, which has the fingerprint inputs
        `key` without optional inputs: compared with itself, a model would never be worse.
        """
        types = type(component).signature().optional
        resolution = Resolution()
        for name, requested in component.references().items():
            if requested != LATEST_BLESSED:
                found: ResolvedArtifact | None = self._checked[slot, name]
                self._checked[slot, name].sealed.verify()  # it may be damaged since
            else:
                skipped: Counter[str] = Counter()
                mismatch = partial(component.mismatch, name, inputs=inputs)
                found = self._latest_blessed(types[name], key, mismatch, skipped)
                if skipped:
                    resolution.skipped[name] = dict(skipped)
            if found is not None:
                resolution.found[name] = found
        return resolution

    def find(self, option: str, name: str, artifact_type: type[Artifact]) -> ResolvedArtifact:
        """Return the artifact of a type by the id or path of its run, or by its own path; messages have `option`."""
        path = require_path(option, name)
        if os.sep in name or path.is_dir():
            return ResolvedArtifact(self._find_at(path, option, artifact_type), name)
        slot = _slot_of(artifact_type)
        try:
            record = self.runs.read(name)
        except ConfigError as error:
            problem, remedy = f"{option} is `{name}`: {error.headline}", f"correct or remove {option}"
            expected = f"{LATEST_BLESSED}, a run's id, or the path of an artifact"
            raise ConfigError(problem, expected=expected, remedy=remedy) from error
        for step in _producers(record, slot):
            sealed = self._read_output(step)
            if isinstance(sealed.manifest.artifact, artifact_type):
                sealed.verify()
                return ResolvedArtifact(sealed, name, record.run_id)
        raise _no_such_step(option, name, slot)

    def _latest_blessed(
        self,
        artifact_type: type[Artifact],
        key: FingerprintInputs,
        mismatch: Callable[[Artifact], str],
        skipped: Counter[str],
    ) -> ResolvedArtifact | None:
        slot, seen = _slot_of(artifact_type), set()
        for record in self.runs.blessed():
            for step in record.steps:
                if step.component != slot or step.fingerprint in seen:
                    continue
                seen.add(step.fingerprint)
                try:
                    sealed = self.store.read(slot, self.store.directory(slot, step.fingerprint))
                    if _is_same_step(sealed.manifest.fingerprint_inputs, key):
                        continue
                    if not (reason := mismatch(sealed.manifest.artifact)):
                        sealed.verify()
                        return ResolvedArtifact(sealed, LATEST_BLESSED, record.run_id)
                except IntegrityError:
                    reason = UNREADABLE
                skipped[reason] += 1
        return None

    def _read_output(self, step: StepRecord) -> SealedArtifact:
        directory = self.store.directory(step.component, step.fingerprint)
        if not os.path.lexists(directory):
            problem = f"{directory} does not exist"
            raise IntegrityError(problem, expected="the artifact of the run", remedy="name another run")
        return self.store.read(step.component, directory)

    def _find_at(self, path: Path, option: str, artifact_type: type[Artifact]) -> SealedArtifact:
        """Return the sealed artifact in a folder or a run's folder, which may be in another root."""
        slot = _slot_of(artifact_type)
        if (path / RECORD).is_file():
            outputs = [(path / step.component).resolve() for step in _producers(read_record(path), slot)]
            sealed_outputs = (self.store.read(slot, output) for output in outputs if output.is_dir())
            found = (
                output.directory for output in sealed_outputs if isinstance(output.manifest.artifact, artifact_type)
            )
            path = next(found, path)
        directory = require_path(option, path.resolve())
        if not directory.is_dir():
            expected, remedy = "the folder of a run, or of a sealed artifact", f"correct or remove {option}"
            raise ConfigError(f"{option} is {path}, which is not a folder", expected=expected, remedy=remedy)
        if (directory / RECORD).is_file():
            raise _no_such_step(option, path, slot)
        # A folder named like an artifact in a store, but without a manifest, is damaged.
        if not (os.path.lexists(directory / MANIFEST) or FINGERPRINT.fullmatch(directory.name)):
            is_version = Pusher.read_version(directory) is not None
            raise ConfigError(
                f"{option} is {path}, which is neither a sealed artifact nor a run",
                expected="the folder of a run, or of a sealed artifact with its manifest.json",
                remedy=f"find its artifact with `python -m job show {path}`" if is_version else f"correct {option}",
            )
        sealed = self.store.read(slot, directory)
        sealed.verify()
        if not isinstance(sealed.manifest.artifact, artifact_type):
            problem = f"{option} is {path}, an artifact of the kind {sealed.manifest.artifact.kind}"
            raise ConfigError(problem, expected=f"an artifact of a {slot}", remedy=f"correct {option}")
        return sealed


@dataclass(frozen=True)
class ResolvedModel:
    """A verified model, with everything that predictions need."""

    sealed: SealedArtifact
    record: RunRecord | None = None
    """The record of its run; None if the model was not named by a run."""
    evaluation: Stored[Evaluation] | None = None
    """The evaluation of the run; None if the model was not named by a run, or was not evaluated."""
    others: dict[str, str] = field(default_factory=dict)
    """By data set, the newest run with a blessed model of another one, if no model was named."""

    @property
    def stored(self) -> Stored[Model]:
        """The model as a component receives it."""
        return self.sealed.stored()

    @property
    def graph(self) -> tuple[GraphOperation, ...]:
        """The transform of raw images, from the examples of the training; empty for a SavedModel, which includes it."""
        if self.stored.artifact.saved_model is not None:
            return ()
        examples: Stored[TransformedExamples] = find_training_examples(self.sealed).stored()
        return examples.artifact.graph

    @property
    def temperature(self) -> float | None:
        """The temperature by which the evaluation divided the logits; None if it did not."""
        calibration = None if self.evaluation is None else self.evaluation.artifact.calibration
        return calibration.temperature if calibration is not None and calibration.applied else None

    def load_predictor(self) -> "RawPredictor":
        """Return the predictor for raw images, with the temperature if there is one."""
        from components.inference import load_raw_predictor

        return load_raw_predictor(self.stored, self.graph, temperature=self.temperature)


def resolve_model(root: Path, name: str | None) -> ResolvedModel:
    """Return a model by a run's id, `latest`, or a path to a run or model; None for that of the latest blessed run."""
    runs = Runs(root)
    resolver = ArtifactResolver(Store(root), runs)
    others: dict[str, str] = {}
    if name is None or name == LATEST_BLESSED:
        others = {record.data_set or "": record.run_id for record in reversed([*runs.blessed()])}
        if not others:
            remedy = f"name a run with {MODEL_OPTION}, another root with --root, or train a model first"
            problem = f"{root} has no run whose model was blessed"
            raise ConfigError(problem, expected="a run with a blessed model", remedy=remedy)
        data_set, name = max(others.items(), key=itemgetter(1))
        del others[data_set]
    model = resolver.find(MODEL_OPTION, name, Model)
    folder = require_path(MODEL_OPTION, name) if model.run_id is None else runs.path(model.run_id)
    if not (folder / RECORD).exists():
        return ResolvedModel(model.sealed)
    record, slot = read_record(folder), _slot_of(Evaluation)
    evaluation = None
    if any(step.component == slot for step in record.steps):
        evaluation = resolver.find(MODEL_OPTION, name, Evaluation).sealed.stored()
    return ResolvedModel(model.sealed, record, evaluation, others)


def _slot_of(artifact_type: type[Artifact]) -> str:
    """Return the slot whose component returns the type; for the type of a custom step, its kind."""
    kind = str(artifact_type.model_fields["kind"].default)
    return next((slot for slot, component in SLOTS.items() if component.signature().output is artifact_type), kind)


def _producers(record: RunRecord, slot: str) -> Iterator[StepRecord]:
    """Yield the steps of a run that may have produced the artifact of a slot: custom steps may replace it."""
    return (step for step in reversed(record.steps) if step.component == slot or step.component not in SLOTS)


def _is_same_step(sealed: FingerprintInputs, key: FingerprintInputs) -> bool:
    """Return whether an artifact has the inputs of `key`, which has no optional ones; without inputs, its config."""
    inputs = {name: sealed.inputs.get(name) for name in key.inputs}
    return inputs == key.inputs if key.inputs else sealed.producer.config == key.producer.config


def _no_such_step(option: str, name: object, slot: str) -> ConfigError:
    problem, remedy = f"{option} is `{name}`, a run without a finished {slot}", f"name another run, or {LATEST_BLESSED}"
    return ConfigError(problem, expected="a run with such a step", remedy=remedy)

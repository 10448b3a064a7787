"""Resolve names: from a run's id, `latest-blessed` or a path to a sealed artifact or a trained model."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Artifact, Component, Pusher
from components.artifacts import Evaluation, GraphOperation, Model, Stored, TransformedExamples
from components.base.errors import ConfigError, IntegrityError
from components.base.paths import require_path
from components.base.text import printable
from job.pipeline.slots import SLOTS
from job.store.fingerprint import FingerprintInputs
from job.store.lineage import MIN_PREFIX_LENGTH, find_training_examples
from job.store.manifest import MANIFEST
from job.store.records import ReferenceRecord, RunRecord, StepRecord
from job.store.run_names import LATEST_BLESSED, NAME, RESERVED, Tags
from job.store.runs import LATEST, RECORD, Runs, read_record
from job.store.store import SealedArtifact, Store
from job.store.summaries import Summaries

if TYPE_CHECKING:
    from components.inference import RawPredictor

FINGERPRINT = re.compile("[0-9a-f]{64}")
UNREADABLE = "that cannot be read"
MODEL_OPTION = "--model"
ID_CUTOFF = 0.85
"""Ids of the same day are similar; a mistyped one differs in one or two characters."""


class NoSuchRunError(ConfigError):
    """No run has the name."""


@dataclass(frozen=True)
class FoundRun:
    """The run that was found for a name."""

    record: RunRecord
    folder: Path

    @property
    def root(self) -> Path:
        """The root that the folder of the run is in."""
        return self.folder.parents[1]


def find_run(root: Path, name: str = LATEST) -> RunRecord:
    """Return the record of a run; `name` and errors as for `locate_run`."""
    return locate_run(root, name).record


def locate_run(root: Path, name: str = LATEST, *, option: str = "") -> FoundRun:
    """Return a run by its id, tag or folder, by its name (the newest with it), or as `latest` or `latest-blessed`.

    The root comes first: a folder with one of its names is not read, unless it is written with a separator.

    Args:
        root: the root of all names but folders, which may be in any root.
        name: what the user wrote.
        option: the key of the configuration, or the option of the command line, that messages name.

    Raises:
        NoSuchRunError: if there is no such run.
        ConfigError: if it was deleted, and its tag was not.
        IntegrityError: if its record is damaged.
    """
    runs, named = Runs(root), dict[str, str]()
    if os.sep not in name and (folder := _folder_below(runs, name, named)) is not None:
        return FoundRun(read_record(folder), folder)
    if is_run_folder(name):
        folder = Path(os.path.abspath(name))  # noqa: PTH100  (without `..`, and links stay)
        if folder.name == LATEST and folder.is_symlink():
            folder = folder.with_name(folder.readlink().name)
        return FoundRun(read_record(folder), folder)
    raise _no_such_run(runs, name, named, option)


def is_run_folder(path: str) -> bool:
    """Return whether a path is that of a folder with the record of a run."""
    return os.path.isfile(os.path.join(path, RECORD))  # noqa: PTH113, PTH118  (False for a path that is too long)


def _folder_below(runs: Runs, name: str, named: dict[str, str]) -> Path | None:
    """Return the folder of a run of a root, or None; if all names of runs were read, `named` has them."""
    run_id: str | None = None
    if name == LATEST:
        run_id = runs.latest()
    elif name == LATEST_BLESSED:
        run_id = next((record.run_id for record in runs.blessed()), None)
    elif runs.exists(name):
        run_id = name
    elif NAME.fullmatch(name):
        if (run_id := Tags(runs.root).read().get(name)) is not None and not runs.exists(run_id):
            raise ConfigError(
                f"the run of the tag {name}, {run_id}, was deleted",
                expected="the tag of a run",
                remedy=f"move the tag with `python -m job tag RUN {name}`, or delete it with --delete {name}",
            )
        if run_id is None:
            for given, candidate in runs.named():
                named.setdefault(given, candidate)
                if given == name:
                    run_id = candidate
                    break
    return None if run_id is None or not os.path.isdir(runs.path(run_id)) else runs.path(run_id)  # noqa: PTH112


def _no_such_run(runs: Runs, name: str, named: Iterable[str], option: str) -> ConfigError:
    ids = runs.ids()
    remedy = f"correct or remove {option}" if option else "list them with `python -m job runs`"
    if name == LATEST_BLESSED and ids:
        problem, expected = f"{runs.root} has no run whose model was blessed", "a run with a blessed model"
        remedy = "name another run, or train a model first"
    elif os.sep in name:
        problem, expected = f"{name} is not the folder of a run", f"a folder with a {RECORD}"
    elif not ids:
        error = runs.no_runs()
        problem, expected, remedy = error.headline, error.expected, error.remedy
    else:
        problem = f"{runs.root} has no run `{printable(name)}`"
        expected = f"the id, tag, name or folder of a run, {LATEST} or {LATEST_BLESSED}; the newest is {ids[-1]}"
        if near := _nearest(name, ids, [*RESERVED, *Tags(runs.root).read(), *named]):
            remedy = f"did you mean `{near}`?"
    where = f"{option} is `{printable(name)}`: " if option else ""
    return NoSuchRunError(where + problem, expected=expected, remedy=remedy)


def _nearest(name: str, ids: Sequence[str], names: Sequence[str]) -> str:
    """Return the name that the user probably meant, or an empty text."""
    if len(name) >= MIN_PREFIX_LENGTH:
        beginning = [each for each in dict.fromkeys([*names, *ids]) if each.startswith(name)]
        if len(beginning) == 1:
            return beginning[0]
    by_lower_case = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower_case, n=1)
    if near:
        return by_lower_case[near[0]]
    return next(iter(get_close_matches(name, ids, n=1, cutoff=ID_CUTOFF)), "")


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
            resolved.sealed.verify()  # it may be damaged since
        return found

    def find(self, option: str, name: str, artifact_type: type[Artifact]) -> ResolvedArtifact:
        """Return the artifact of a type by any name of its run, or by its own path; messages have `option`."""
        path = require_path(option, name)
        try:
            found = locate_run(self.runs.root, name, option=option)
        except NoSuchRunError:
            if os.sep in name or path.is_dir():
                return ResolvedArtifact(self._find_at(path, option, artifact_type), name)
            raise
        return self.output_of(found, option, name, artifact_type)

    def output_of(self, found: FoundRun, option: str, name: str, artifact_type: type[Artifact]) -> ResolvedArtifact:
        """Return the artifact of a type that a run produced; `name` is how the run was requested."""
        slot, store = _slot_of(artifact_type), Store(found.root)
        for step in _producers(found.record, slot):
            directory = store.directory(step.component, step.fingerprint)
            if not os.path.lexists(directory):
                directory = (found.folder / step.component).resolve()  # of a folder that is in no root
            if not os.path.lexists(directory):
                problem = f"{directory} does not exist"
                raise IntegrityError(problem, expected="the artifact of the run", remedy="name another run")
            sealed = store.read(step.component, directory)
            if isinstance(sealed.manifest.artifact, artifact_type):
                sealed.verify()
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
        slot, seen = _slot_of(artifact_type), set()
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
                        sealed.verify()
                        return ResolvedArtifact(sealed, LATEST_BLESSED, record.run_id)
                except IntegrityError:
                    reason = UNREADABLE
                skipped[reason] += 1
        return None

    def _find_at(self, path: Path, option: str, artifact_type: type[Artifact]) -> SealedArtifact:
        """Return the sealed artifact in a folder, which may be in another root."""
        slot = _slot_of(artifact_type)
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
    """Return a model by any name of its run, or by its own path; None for that of the latest blessed run."""
    runs = Runs(root)
    resolver = ArtifactResolver(Store(root), runs)
    others: dict[str, str] = {}
    if name is None or name == LATEST_BLESSED:
        others = {run.data_set or "": run.run_id for run in Summaries(runs).read() if run.blessed}
        if not others:
            remedy = f"name a run with {MODEL_OPTION}, another root with --root, or train a model first"
            problem = f"{root} has no run whose model was blessed"
            raise ConfigError(problem, expected="a run with a blessed model", remedy=remedy)
        data_set, name = max(others.items(), key=itemgetter(1))
        del others[data_set]
    require_path(MODEL_OPTION, name)
    try:
        found = locate_run(root, name, option=MODEL_OPTION)
    except NoSuchRunError:
        return ResolvedModel(resolver.find(MODEL_OPTION, name, Model).sealed)
    model = resolver.output_of(found, MODEL_OPTION, name, Model)
    evaluation = None
    if any(step.component == _slot_of(Evaluation) for step in found.record.steps):
        evaluation = resolver.output_of(found, MODEL_OPTION, name, Evaluation).sealed.stored()
    return ResolvedModel(model.sealed, found.record, evaluation, others)


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

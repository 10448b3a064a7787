"""Two runs compared: their steps, configuration, code, packages, data, metrics and test images."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from components import Evaluator, Stored
from components.artifacts import Artifact, DataChanges, Evaluation, Examples, Model, PairedComparison
from components.base.errors import ConfigError, IntegrityError
from job.store.differences import RunDifferences, run_differences
from job.store.opened import open_store
from job.store.records import RunRecord, StepRecord
from job.store.resolve import locate_run
from job.store.runs import Runs
from job.store.sealed import SealedArtifact

ArtifactT = TypeVar("ArtifactT", bound=Artifact)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Tables and charts refer to runs by letters."""


@dataclass(frozen=True)
class ComparedRun:
    """A run with its artifacts, as far as they exist."""

    letter: str
    record: RunRecord
    root: Path

    @cached_property
    def steps(self) -> dict[str, StepRecord]:
        """The steps by their slots, in order."""
        return {step.component: step for step in self.record.steps}

    @cached_property
    def artifacts(self) -> dict[str, SealedArtifact]:
        """The artifacts of the steps by their slots, without deleted and damaged ones."""
        store, found = open_store(self.root), {}
        for slot, step in self.steps.items():
            try:
                found[slot] = store.read(slot, store.directory(slot, step.fingerprint))
            except IntegrityError:
                continue
        return found

    @cached_property
    def producers(self) -> dict[str, RunRecord]:
        """The run that produced the artifact of each step, if its record exists: this one, or an earlier one."""
        found = {slot: self.record for slot, step in self.steps.items() if step.status == "ran"}
        if reused := self.steps.keys() - found.keys():
            runs = Runs(self.root)
            first_uses = runs.first_uses(reused)
            for slot in reused:
                fingerprint = self.steps[slot].fingerprint
                with suppress(ConfigError, IntegrityError):
                    record = runs.read(first_uses.get((slot, fingerprint), self.record.run_id))
                    if any(step.fingerprint == fingerprint and step.status == "ran" for step in record.steps):
                        found[slot] = record
        return found

    @property
    def training_cpu_seconds(self) -> float | None:
        """The CPU time of training the model, in this run or in the one whose model it reuses."""
        record = next((self.producers[slot] for slot in self.producers if self._is_model(slot)), self.record)
        return record.training_cpu_seconds()

    def _is_model(self, slot: str) -> bool:
        sealed = self.artifacts.get(slot)
        return sealed is not None and isinstance(sealed.manifest.artifact, Model)

    @cached_property
    def model(self) -> Model | None:
        """The statement of the model; None without a trainer, or if the model was deleted."""
        found = self.sealed(Model)
        return None if found is None else found.artifact

    def statement(self, artifact_type: type[ArtifactT]) -> ArtifactT | None:
        """Return the statement of the artifact of a type, after its local files are verified; None as for `stored`."""
        found = self._verified(artifact_type)
        return None if found is None else found.artifact

    def stored(self, artifact_type: type[ArtifactT]) -> Stored[ArtifactT] | None:
        """Return the artifact of a type, after its files are verified; None if it is deleted or damaged."""
        with suppress(IntegrityError):
            if (found := self._verified(artifact_type)) is not None:
                return found.stored()
        return None

    def examples(self, split: str) -> Stored[Examples] | None:
        """Return the examples with the files of one split; None as for `stored`."""
        with suppress(IntegrityError):
            if (found := self._verified(Examples)) is not None:
                examples: Examples = found.artifact
                found.fetch(*getattr(examples.splits, split).file_names())
                return Stored(examples, found.directory)
        return None

    def _verified(self, artifact_type: type[Artifact]) -> SealedArtifact | None:
        with suppress(IntegrityError):
            if (found := self.sealed(artifact_type)) is not None:
                found.check()
                return found
        return None

    def sealed(self, artifact_type: type[Artifact]) -> SealedArtifact | None:
        """Return the last artifact of a type: a custom step may replace the earlier ones. It may be damaged."""
        found = reversed(self.artifacts.values())
        return next((sealed for sealed in found if isinstance(sealed.manifest.artifact, artifact_type)), None)


@dataclass(frozen=True)
class StepComparison:
    """A step of two runs."""

    component: str
    result: Literal["same", "differs", "only_first", "only_second"]
    """Whether the artifacts have the same content, or which run alone has the step."""
    reasons: tuple[str, ...]
    """What differs in the step; if the results are the same, it has no effect."""


@dataclass(frozen=True)
class RunComparison:
    """Two runs, compared."""

    first: ComparedRun
    second: ComparedRun

    @cached_property
    def differences(self) -> RunDifferences:
        """The differences between the records."""
        return run_differences(self.first.record, self.second.record)

    @cached_property
    def steps(self) -> tuple[StepComparison, ...]:
        """All steps of both runs, in order."""
        return tuple(self._compare_step(slot) for slot in self.first.steps | self.second.steps)

    @property
    def first_difference(self) -> StepComparison | None:
        """The first step whose result differs, or that only one of the runs has; None if there is none."""
        return next((step for step in self.steps if step.result != "same"), None)

    def _compare_step(self, slot: str) -> StepComparison:
        one, other = self.first.steps.get(slot), self.second.steps.get(slot)
        if one is None or other is None:
            return StepComparison(slot, "only_second" if one is None else "only_first", ())
        result: Literal["same", "differs"] = "same" if one.digest == other.digest else "differs"
        if one.fingerprint == other.fingerprint:
            machine = tuple(map(str, self.differences.environment)) if result == "differs" else ()
            return StepComparison(slot, result, machine)
        before, after = self.first.artifacts.get(slot), self.second.artifacts.get(slot)
        if before is None or after is None:
            missing = (self.first if before is None else self.second).letter
            return StepComparison(slot, result, (f"unknown: the artifact of {missing} is deleted or damaged",))
        reasons = after.manifest.fingerprint_inputs.differences(before.manifest.fingerprint_inputs)
        return StepComparison(slot, result, tuple(reasons))

    @cached_property
    def differing_splits(self) -> list[str] | None:
        """The splits whose images or labels differ; None if the examples of a run do not exist."""
        one, other = self.first.statement(Examples), self.second.statement(Examples)
        if one is None or other is None:
            return None
        before, after = (_file_digests(run.sealed(Examples)) for run in (self.first, self.second))
        splits = other.splits
        return [
            name
            for name, split in one.splits.items()
            if [before[file] for file in split.file_names()]
            != [after[file] for file in getattr(splits, name).file_names()]
        ]

    @cached_property
    def data_changes(self) -> DataChanges | None:
        """Images that were added, removed or relabelled; None if the data are the same, or do not exist."""
        if not self.differing_splits:
            return None
        one, other = self.first.stored(Examples), self.second.stored(Examples)
        if one is None or other is None:
            return None
        from components.io.image_changes import compare_examples

        return compare_examples(one, other, self.differing_splits)

    @cached_property
    def paired(self) -> PairedComparison | None:
        """The evaluations, image by image; None if one does not exist, or if the images differ."""
        if len({None if found is None else found.test_sha256 for found in self._evaluations}) > 1:
            return None
        one, other = self.first.stored(Evaluation), self.second.stored(Evaluation)
        return None if one is None or other is None else Evaluator.compare(one, other)

    @property
    def _evaluations(self) -> list[Evaluation | None]:
        return [run.statement(Evaluation) for run in (self.first, self.second)]

    @property
    def scored_other_images(self) -> bool:
        """Whether both models were evaluated, but on different test images."""
        return self.paired is None and all(found is not None for found in self._evaluations)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes of the first evaluation, by label; empty without one."""
        evaluation = self.first.statement(Evaluation)
        return () if evaluation is None else tuple(row.name for row in evaluation.per_class)

    def test_ids(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the ids of test images by their row; empty if the examples of the first run do not exist."""
        examples = self.first.examples("test") if rows else None
        if examples is None:
            return {}
        import numpy as np

        from components.io.splits import read_ids

        ordered = sorted(rows)
        ids = read_ids(examples, examples.artifact.splits.test, np.array(ordered))
        return dict(zip(ordered, ids, strict=True))


def compare_runs(root: Path, names: Sequence[str]) -> list[RunComparison]:
    """Return the comparison of the first run with each of the others.

    Raises:
        ConfigError: if there is no such run, or fewer than two or more than 26 names are given.
        IntegrityError: if the record of one is damaged.
    """
    if not 2 <= len(names) <= len(LETTERS):
        expected = f"2 to {len(LETTERS)} runs: the first is compared with each of the others"
        raise ConfigError(
            f"{len(names)} run is named" if len(names) == 1 else f"{len(names)} runs are named",
            expected=expected,
            remedy="name another run, such as `latest`",
        )
    found = [locate_run(root, name) for name in names]
    first, *others = (ComparedRun(letter, run.record, run.root) for letter, run in zip(LETTERS, found, strict=False))
    return [RunComparison(first, other) for other in others]


def compared_runs(comparisons: Sequence[RunComparison]) -> list[ComparedRun]:
    """Return the first run, and those that it is compared with."""
    return [comparisons[0].first, *(comparison.second for comparison in comparisons)]


def _file_digests(sealed: SealedArtifact | None) -> dict[str, str]:
    return {} if sealed is None else {file.path: file.sha256 for file in sealed.manifest.files}

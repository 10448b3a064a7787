"""Two runs compared: their steps, configuration, code, packages, data, metrics and test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from components import Evaluator, Stored
from components.artifacts import SPLITS, Artifact, DataChanges, Evaluation, Examples, Model, PairedComparison
from components.base.errors import ConfigError, IntegrityError
from job.store.differences import RunDifferences, run_differences
from job.store.records import RunRecord, StepRecord
from job.store.resolve import locate_run
from job.store.store import SealedArtifact, Store

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
        """The artifacts of the steps by their slots; deleted and damaged ones are absent."""
        store, found = Store(self.root), {}
        for slot, step in self.steps.items():
            try:
                found[slot] = store.read(slot, store.directory(slot, step.fingerprint))
            except IntegrityError:
                continue
        return found

    @cached_property
    def model(self) -> Model | None:
        """The statement of the model; None without a trainer, or if the model was deleted."""
        found = self.find(Model)
        return None if found is None else found.stored().artifact

    def find(self, artifact_type: type[Artifact]) -> SealedArtifact | None:
        """Return the artifact of a type that the later steps used: the last, because a custom step may replace it."""
        found = (sealed for sealed in reversed(self.artifacts.values()))
        return next((sealed for sealed in found if isinstance(sealed.manifest.artifact, artifact_type)), None)


@dataclass(frozen=True)
class StepComparison:
    """A step of two runs."""

    component: str
    result: Literal["same", "differs", "only_first", "only_second"]
    """Whether the artifacts have the same content, or which run alone has the step."""
    reasons: tuple[str, ...]
    """What differs in the step; if its result is the same, without consequences."""


@dataclass(frozen=True)
class RunComparison:
    """Two runs, compared."""

    first: ComparedRun
    second: ComparedRun

    @cached_property
    def differences(self) -> RunDifferences:
        """What the records state differently."""
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

    @property
    def same_data(self) -> bool | None:
        """Whether the images and labels of all splits are the same; None if the examples of a run do not exist."""
        one, other = self.first.find(Examples), self.second.find(Examples)
        return None if one is None or other is None else not _differing_splits(one, other)

    @cached_property
    def data_changes(self) -> DataChanges | None:
        """Images that were added, removed or relabelled; None if the data are the same, or do not exist.

        Raises:
            IntegrityError: if a file of the data is damaged.
        """
        one, other = self.first.find(Examples), self.second.find(Examples)
        if one is None or other is None or not (splits := _differing_splits(one, other)):
            return None
        from components.io.image_changes import compare_examples

        one.verify()
        other.verify()
        return compare_examples(one.stored(), other.stored(), splits)

    @cached_property
    def paired(self) -> PairedComparison | None:
        """The evaluations, image by image; None if one does not exist, or if they are of different images.

        Raises:
            IntegrityError: if a file of an evaluation is damaged.
        """
        one, other = self.first.find(Evaluation), self.second.find(Evaluation)
        if one is None or other is None:
            return None
        before: Stored[Evaluation] = one.stored()
        after: Stored[Evaluation] = other.stored()
        if before.artifact.test_sha256 != after.artifact.test_sha256:
            return None
        one.verify()
        other.verify()
        return Evaluator.compare(before, after)

    @property
    def scored_other_images(self) -> bool:
        """Whether both models were evaluated, but on different test images."""
        both = self.first.find(Evaluation) is not None and self.second.find(Evaluation) is not None
        return both and self.paired is None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes of the first evaluation, by label; empty without one."""
        found = self.first.find(Evaluation)
        evaluation: Evaluation | None = None if found is None else found.stored().artifact
        return () if evaluation is None else tuple(row.name for row in evaluation.per_class)

    def test_ids(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the ids of test images by their row; empty if the examples of the first run do not exist."""
        examples, evaluation = self.first.find(Examples), self.first.find(Evaluation)
        if examples is None or evaluation is None or not rows:
            return {}
        import numpy as np

        from components.io.splits import read_ids

        stored: Stored[Examples] = examples.stored()
        split = stored.artifact.splits.test
        ordered = sorted(rows)
        ids = read_ids(stored.directory / split.file, np.array(ordered))
        return dict(zip(ordered, ids, strict=True))


def compare_runs(root: Path, names: Sequence[str]) -> list[RunComparison]:
    """Return the comparison of the first run with each of the others.

    Raises:
        ConfigError: if there is no such run, or fewer than two or more than 26 are named.
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


def _differing_splits(one: SealedArtifact, other: SealedArtifact) -> list[str]:
    """Return the splits of two data sets whose files differ."""
    (before, after) = ({file.path: file.sha256 for file in sealed.manifest.files} for sealed in (one, other))
    first: Stored[Examples] = one.stored()
    second: Stored[Examples] = other.stored()
    return [
        name
        for name in SPLITS
        if before[getattr(first.artifact.splits, name).file] != after[getattr(second.artifact.splits, name).file]
    ]

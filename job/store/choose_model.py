"""Which model is asked, or exported: the latest blessed one of a root, or one that a user names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Evaluation, GraphOperation, Model, Stored, TransformedExamples
from components.base.errors import ConfigError, IntegrityError
from job.store.lineage import sealed_artifacts
from job.store.resolve import LATEST_BLESSED, ArtifactResolver, slot_of
from job.store.runs import Runs
from job.store.store import Store

if TYPE_CHECKING:
    from job.store.store import Sealed

OPTION = "--model"


@dataclass(frozen=True)
class ChosenModel:
    """A model whose every file was verified, and what is to be known to ask it."""

    stored: Stored[Model]
    evaluation: Stored[Evaluation] | None
    """That of the run; None for a model that was not named by a run, or that nobody evaluated."""
    sealed: Sealed
    """The model as it lies in its store."""

    @property
    def graph(self) -> tuple[GraphOperation, ...]:
        """What turns raw images into those that it was trained on; empty if it has a SavedModel, which does so itself.

        Raises:
            IntegrityError: if the examples that it was trained on are not in the store any more.
        """
        if self.stored.artifact.saved_model is not None:
            return ()
        examples: Stored[TransformedExamples] = find_examples(self.sealed).stored()
        return examples.artifact.graph

    @property
    def temperature(self) -> float | None:
        """By which its evaluation divided the logits; None if it did not."""
        calibration = None if self.evaluation is None else self.evaluation.artifact.calibration
        return calibration.temperature if calibration is not None and calibration.applied else None


def choose_model(root: Path, asked: str | None) -> ChosenModel:
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
    found = references.find(OPTION, asked, Model)
    model = found.sealed
    evaluated = found.run_id is not None and any(
        step.component == slot_of(Evaluation) for step in references.runs.read(found.run_id).steps
    )
    if evaluated or (Path(asked).expanduser() / slot_of(Evaluation)).is_dir():
        evaluation = references.find(OPTION, asked, Evaluation).sealed.stored()
    else:
        evaluation = None
    stored: Stored[Model] = model.stored()
    return ChosenModel(stored, evaluation, model)


def newest_blessed(runs: Runs) -> str:
    """Return the id of the newest run whose model was blessed.

    Raises:
        ConfigError: if there is none.
    """
    record = next(runs.blessed(), None)
    if record is None:
        raise ConfigError(
            f"{runs.root} has no run whose model was blessed",
            expected=f"one, or a model that is named with {OPTION}",
            remedy=f"name a run with {OPTION}, another root with --root, or train a model first: python -m job run",
        )
    return record.run_id


def find_examples(model: Sealed) -> Sealed:
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
        remedy=f"name another model with {OPTION}, or run the job again",
    )

"""Resolve a model: from a name to a verified model, with everything that predictions need."""

from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Evaluation, GraphOperation, Model, Stored, TransformedExamples
from components.base.errors import ConfigError
from components.base.paths import require_path
from job.store.artifact_resolver import ArtifactResolver, slot_of
from job.store.lineage import find_training_examples
from job.store.opened import local_path, open_store
from job.store.records import RunRecord
from job.store.resolve import NoSuchRunError, locate_run
from job.store.run_names import LATEST_BLESSED
from job.store.runs import Runs
from job.store.sealed import SealedArtifact
from job.store.summaries import Summaries

if TYPE_CHECKING:
    from components.inference import RawPredictor

MODEL_OPTION = "--model"


@dataclass(frozen=True)
class ResolvedModel:
    """A verified model, with everything that predictions need."""

    sealed: SealedArtifact
    record: RunRecord | None = None
    """The record of its run; None if the model was not named by a run."""
    evaluation: Evaluation | None = None
    """The evaluation of the run; None if the model was not named by a run, or was not evaluated."""
    others: dict[str, str] = field(default_factory=dict)
    """By data set, the newest run with a blessed model of another one, if no model was named."""

    @property
    def artifact(self) -> Model:
        """The statement of the model."""
        model: Model = self.sealed.artifact
        return model

    @property
    def stored(self) -> Stored[Model]:
        """The model as a component receives it."""
        return self.sealed.stored()

    @property
    def graph(self) -> tuple[GraphOperation, ...]:
        """The transform of raw images, from the examples of the training; empty for a SavedModel, which includes it."""
        if self.artifact.saved_model is not None:
            return ()
        examples: TransformedExamples = find_training_examples(self.sealed).artifact
        return examples.graph

    @property
    def temperature(self) -> float | None:
        """The temperature by which the evaluation divided the logits; None if it did not."""
        calibration = None if self.evaluation is None else self.evaluation.calibration
        return calibration.temperature if calibration is not None and calibration.applied else None

    def load_predictor(self) -> "RawPredictor":
        """Return the predictor for raw images, with the temperature if there is one."""
        from components.inference import load_raw_predictor

        return load_raw_predictor(self.stored, self.graph, temperature=self.temperature)


def resolve_model(root: Path, name: str | None) -> ResolvedModel:
    """Return a model by any name of its run, or by its own path; None for that of the latest blessed run."""
    runs = Runs(root)
    resolver = ArtifactResolver(open_store(root), runs)
    others: dict[str, str] = {}
    if name is None or name == LATEST_BLESSED:
        others = {run.data_set or "": run.run_id for run in Summaries(runs).read() if run.blessed}
        if not others:
            remedy = f"name a run with {MODEL_OPTION}, another root with --root, or train a model first"
            problem = f"{root} has no run whose model was blessed"
            raise ConfigError(problem, expected="a run with a blessed model", remedy=remedy)
        data_set, name = max(others.items(), key=itemgetter(1))
        del others[data_set]
    require_path(MODEL_OPTION, local_path(name))
    try:
        found = locate_run(root, name, option=MODEL_OPTION)
    except NoSuchRunError:
        return ResolvedModel(resolver.find(MODEL_OPTION, name, Model).sealed)
    model = resolver.output_of(found, MODEL_OPTION, name, Model)
    evaluation = None
    if any(step.component == slot_of(Evaluation) for step in found.record.steps):
        evaluation = resolver.output_of(found, MODEL_OPTION, name, Evaluation).sealed.artifact
    return ResolvedModel(model.sealed, found.record, evaluation, others)

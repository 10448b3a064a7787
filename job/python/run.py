"""A run in Python: start one, or load an earlier one, and read its results as values, DataFrames and a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Stored
from components.artifacts import SPLITS
from components.base.errors import ConfigError, IntegrityError, ResourceError
from components.object_storage import Location, require_location, transfers_reported_to
from job.config.config import JobConfig, load_config
from job.options import DEFAULT_ROOT
from job.pipeline.pipeline import Pipeline
from job.pipeline.slots import find_slot
from job.python.html import render_run
from job.python.trained_model import TrainedModel
from job.reporters.console import ConsoleReporter
from job.reporters.terminal import make_console
from job.runner.runner import Runner
from job.signals import Signals
from job.store.opened import open_root, open_store
from job.store.records import RunRecord, StepRecord
from job.store.resolve import locate_run
from job.store.resolved_model import resolve_model
from job.store.root import address, root_at
from job.store.runs import LATEST, MODEL_CARD, REPORT, Runs
from job.store.sealed import SealedArtifact

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from rich.console import Console

    from components.io import ImageSplit


def run(
    config: JobConfig | Pipeline | Location | str,
    *,
    root: Location | str | None = None,
    until: str | None = None,
    use_cache: bool = True,
    strict: bool = False,
    name: str | None = None,
    note: str | None = None,
    console: Console | None = None,
) -> Run:
    """Run the job, report progress on the console, and return the run. Steps whose artifacts exist are reused.

    Args:
        config: a configuration, a pipeline, the path of a configuration file or run, or the name of a preset.
        root: folder of artifacts and runs, or a URL such as `s3://bucket/prefix`; replaces that of the configuration.
        until: the last step to run, such as `trainer`.
        use_cache: whether steps can be reused.
        strict: whether a damaged artifact is an error. Otherwise it is produced again.
        name: a name for the run, which `load_run` and all commands take; several runs may have the same.
        note: a remark for its record.
        console: standard output by default; `Console(quiet=True)` prints nothing.

    Raises:
        JobError: if a step fails. In the main thread, SIGTERM and SIGINT end the run as on the command line.
    """
    if isinstance(config, Pipeline):
        config = JobConfig(pipeline=config)
    elif not isinstance(config, JobConfig):
        config = load_config(config)
    if root is not None:
        config = config.model_copy(update={"root": require_location("root", str(root))})
    signals, reporter = Signals(), ConsoleReporter(console or make_console())
    runner = Runner(
        config,
        reporter,
        signals,
        use_cache=use_cache,
        strict=strict,
        until=None if until is None else find_slot(until, config.pipeline.step_names()),
        name=name,
        note=note,
    )
    with signals.installed(), transfers_reported_to(reporter):
        return Run(runner.run(), runner.root)


def load_run(name: Path | str = LATEST, root: Location | str = DEFAULT_ROOT) -> Run:
    """Return a run by its id, tag, name or folder, or as `latest`, the last that has results, or `latest-blessed`.

    Raises:
        ConfigError: if there is no such run.
        IntegrityError: if its record is damaged.
    """
    found = locate_run(open_root(require_location("root", str(root))), str(name))
    return Run(found.record, found.root)


@dataclass(frozen=True)
class RunMetrics:
    """Metrics by name. Compare networks and settings by those of the validation split."""

    validation: dict[str, float]
    """Of the epoch whose weights the model has; empty if the run has no trainer."""
    test: dict[str, float]
    """Of the evaluation; empty if the run has none."""


class Run:
    """One run of the job. Its artifacts are verified when they are read.

    Attributes:
        record: the content of `run.json`: outcome, steps, verdict, configuration, environment.
        root: the folder of artifacts and runs; for a root in object storage, that of their copies in the cache.
    """

    def __init__(self, record: RunRecord, root: Path) -> None:
        self.record = record
        self.root = root

    @property
    def id(self) -> str:
        """The name of the run, which `load_run` takes."""
        return self.record.run_id

    @property
    def blessed(self) -> bool | None:
        """Whether the model is blessed; None if it was not evaluated."""
        return self.record.blessed

    @property
    def address(self) -> str:
        """The path of the folder of the run; for a root in object storage, its URL."""
        return address(Runs(self.root).path(self.id))

    @property
    def directory(self) -> Path:
        """The folder with the record, the report, and a link to the artifact of each step.

        For a root in object storage it is a copy in the cache of this machine, and has the files of an artifact after
        `artifact`; `address` is the URL of the run.
        """
        folder = Runs(self.root).path(self.id)
        for name in (REPORT, MODEL_CARD) if self.record.has_results else ():
            root_at(self.root).fetch(folder / name)
        return folder

    @property
    def report(self) -> Path | None:
        """The report; None if there is none."""
        path = self.directory / REPORT
        return path if path.is_file() else None

    def artifact(self, step: str) -> Stored[Any]:
        """Return what a step returned, `artifact`, and the folder of its files, `directory`.

        Raises:
            ConfigError: if the run did not finish the step.
            IntegrityError: if a file is missing or damaged.
        """
        return self._sealed(step).stored()

    def _sealed(self, step: str) -> SealedArtifact:
        store, fingerprint = open_store(self.root), self._finished(step).fingerprint
        sealed = store.find(step, fingerprint)
        if sealed is None:
            problem = f"{store.directory(step, fingerprint)} does not exist"
            raise IntegrityError(problem, expected="the artifact of the run", remedy="run the job again")
        return sealed

    def _stored(self, step: str, files: Callable[[Any], Sequence[str]]) -> Stored[Any]:
        """Return an artifact with some of its files; of a root in object storage, the others are not downloaded."""
        sealed = self._sealed(step)
        sealed.fetch(*files(sealed.artifact))
        return Stored(sealed.artifact, sealed.directory)

    def _finished(self, step: str) -> StepRecord:
        finished = {record.component: record for record in self.record.steps}
        if step not in finished:
            raise ConfigError(
                f"the run {self.id} has no finished {step}",
                expected=f"one of {', '.join(finished)}" if finished else "a run with finished steps",
                remedy="run it without `until`, or name another step or run",
            )
        return finished[step]

    @cached_property
    def metrics(self) -> RunMetrics:
        """The metrics of the validation split and of the test split, separately."""
        validation = {}
        if any(step.component == "trainer" for step in self.record.steps):
            best = self._sealed("trainer").artifact.best
            validation = {"accuracy": best.val_accuracy, "loss": best.val_loss}
        test = self.record.metrics or {}
        return RunMetrics(validation, {name: value for name, value in test.items() if isinstance(value, float)})

    @cached_property
    def history(self) -> pd.DataFrame:
        """Loss, accuracy and learning rate: one row per epoch."""
        import pandas as pd

        model = self._stored("trainer", lambda model: [model.history_file])
        return pd.read_csv(model.directory / model.artifact.history_file, index_col="epoch")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per test image: label, prediction, its confidence, and the probabilities by class."""
        import pandas as pd

        evaluation = self._stored("evaluator", lambda evaluation: [evaluation.predictions_file])
        path = evaluation.directory / evaluation.artifact.predictions_file
        table = pd.read_parquet(path, columns=["label", "prediction", "confidence", "probabilities"])
        names = {row.label: row.name for row in evaluation.artifact.per_class}
        return table.assign(label=table["label"].map(names), prediction=table["prediction"].map(names))

    def examples(self, split: str) -> ImageSplit[np.uint8]:
        """Return the raw images and the labels of `train`, `validation` or `test`.

        Those of `test` are in the order of `predictions`. The shape is [count, height, width], or in color
        [count, height, width, 3].
        """
        import numpy as np

        from components.io import ImageSplit, iterate_examples

        if split not in SPLITS:
            expected = f"one of {', '.join(SPLITS)}"
            raise ConfigError(f"there is no split `{split}`", expected=expected, remedy="correct the name")
        examples = self._stored("example_gen", lambda examples: getattr(examples.splits, split).file_names())
        batches = [*iterate_examples(examples, getattr(examples.artifact.splits, split), rows=1000)]
        images = np.concatenate([batch.images for batch in batches])
        return ImageSplit(images, np.concatenate([batch.labels for batch in batches]))

    def model(self) -> TrainedModel:
        """Return the trained model, with which new images can be predicted."""
        self._finished("trainer")
        return TrainedModel(resolve_model(self.root, self.id))

    def show(self) -> None:
        """Print the steps, the verdict, the paths of the results and the lineage, as the command `show` does."""
        from job.commands.show import show

        show(self.id, self.root, as_json=False)

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.record.outcome}>"

    def _repr_html_(self) -> str:
        metrics = RunMetrics({}, {})
        report = None
        with suppress(IntegrityError, ResourceError):  # the record is there, but the model was deleted
            metrics = self.metrics
        with suppress(ResourceError):  # the object store cannot be reached
            report = self.report
        return render_run(self.record, metrics.validation, metrics.test, report)

"""TensorBoard: a run as event files, its curves on top of each other and beside those of other runs.

<directory>/<run id>/              pictures, configuration, lineage, hyperparameters
<directory>/<run id>/train/        `loss`, `accuracy` and `learning_rate`, by epoch
<directory>/<run id>/validation/   `loss` and `accuracy`, by epoch
<directory>/<run id>/test/         all test metrics, at the epoch that was kept

A tag is one chart, and each of these folders a line in it: so training, validation and test stand in one chart,
as with Keras's own callback. The folder is not the run's, since TensorBoard would follow `runs/latest` too, and show
the newest run twice.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.plugins.hparams import api_pb2

from components.artifacts import Evaluation, Examples, Figures, Model
from components.base.markdown import fenced, table
from job.tracking.event_file import PNG, EventFile, picture, scalar, session_end, session_start, text
from job.tracking.flatten import parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from job.config.tracking import TensorBoardConfig
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact

VALIDATION = "val_"
"""What the names of validation's metrics begin with."""
SHARED = ("loss", "accuracy")
"""Metrics of the test split that stand in a chart with those of training; the others are in a section of their own."""
CHOSEN = ("seed", "trainer.")
"""What hyperparameters begin with; the rest of the configuration is in its text."""
TOLD = {"outcome", "exit_code", "blessed", "rubber_stamped", "checks", "seconds", "cpu_seconds", "failure", "report"}
"""Of a run's record, as its outcome."""
STATUS = {"succeeded": api_pb2.STATUS_SUCCESS, "not_blessed": api_pb2.STATUS_SUCCESS}


class TensorBoardTracker:
    """Writes the event files of one run.

    Args:
        config: where to, if not into the root.
        root: of the job.
        run_id: of the run.

    Raises:
        OSError: from any of its methods, if they cannot be written.
    """

    def __init__(self, config: TensorBoardConfig, root: Path, run_id: str) -> None:
        self._folder = Path(config.directory).expanduser() if config.directory else root / "tensorboard"
        self._files: dict[str, EventFile] = {}
        self._run_id = run_id
        self._kept = 0
        self._source: dict[str, Any] = {}

    @property
    def places(self) -> Mapping[str, str]:
        return {"tensorboard": f"tensorboard --logdir {shlex.quote(str(self._folder))}"}

    def begin(self, record: RunRecord) -> None:
        chosen = {name: value for name, value in parameters(record.config).items() if name.startswith(CHOSEN)}
        self._file().write(
            session_start(chosen, name=record.run_id, started=record.started.timestamp()),
            text("configuration", _as_code(record.config)),
            text("environment", _as_code(record.environment)),
        )

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        of_validation = {name for name in metrics if name.startswith(VALIDATION)}
        for part, names in (("train", metrics.keys() - of_validation), ("validation", of_validation)):
            if names:
                values = [scalar(name.removeprefix(VALIDATION), metrics[name]) for name in sorted(names)]
                self._file(part).write(*values, step=epoch)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:  # noqa: ARG002
        match sealed.manifest.artifact:
            case Examples() as made:
                self._source = made.source.model_dump(mode="json")
            case Model() as made:
                self._kept = made.best_epoch
            case Evaluation() as made:
                metrics = made.metrics.model_dump(mode="json")
                measured = {name: value for name, value in metrics.items() if isinstance(value, float)}
                values = [scalar(name if name in SHARED else f"test/{name}", it) for name, it in measured.items()]
                self._file("test").write(*values, step=self._kept)
            case Figures() as made:
                for figure in made.figures:
                    content = (sealed.directory / figure.file).read_bytes()
                    if content.startswith(PNG):
                        shown = picture(figure.name, content, title=figure.title, description=figure.alt)
                        self._file().write(shown, step=self._kept)

    def end(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        rows = [(step.component, step.status, step.digest, step.fingerprint) for step in record.steps]
        self._file().write(
            text("lineage", table(("step", "status", "digest", "fingerprint"), rows)),
            text("source", _as_code(self._source)),
            text("outcome", _as_code(record.model_dump(mode="json", include=TOLD))),
            session_end(STATUS.get(record.outcome, api_pb2.STATUS_FAILURE)),
            step=self._kept,
        )

    def give_up(self, why: str) -> None: ...  # nothing in its files says that a run goes on

    def _file(self, part: str = "") -> EventFile:
        if part not in self._files:
            self._files[part] = EventFile(self._folder / self._run_id / part)
        return self._files[part]


def _as_code(value: object) -> str:
    return fenced(json.dumps(value, indent=2), "")

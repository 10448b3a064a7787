"""MLflow: a run of the job as a run there, stored by its real client, without global state or autologging.

A run in MLflow is named by the job's run id. A job that is killed and started again is another run of both; what
training had done before is told there too. A run that was killed outright stays RUNNING in MLflow.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.artifacts import Evaluation, Examples, Figures, Model
from job.tracking.flatten import flatten, parameters
from job.tracking.mlflow_store import import_mlflow, open_store, store_uri
from job.tracking.mlflow_values import LONGEST_TAG, LONGEST_VALUE, batches, in_text, keyed
from job.tracking.redact import DATABASES, has_password, without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from job.config.tracking import MlflowConfig
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact

STATUS = {"succeeded": "FINISHED", "not_blessed": "FINISHED", "terminated": "KILLED", "failed": "FAILED"}
METRIC_PREFIX = "test_"
CONSTANT = ".confidence"
"""What the names of an interval's confidence end with, which is configured and not measured."""


class MlflowTracker:
    """Stores one run.

    Args:
        config: where, and what of it.
        root: of the job.
        run_id: of the run.

    Raises:
        ValueError: if the store would be in a root whose path no URI can tell.
        Exception: from any of its methods, whatever MLflow, its database or its server come up with.
    """

    def __init__(self, config: MlflowConfig, root: Path, run_id: str) -> None:
        self._config = config
        self._root = root
        self._run_name = run_id
        self._run_id = ""
        self._uri = store_uri(config.uri, root)
        self._entities = import_mlflow(self._uri).entities
        self._client: Any = None

    @property
    def places(self) -> Mapping[str, str]:
        return {"mlflow": f"{self.where}, experiment {self._config.experiment}, run {self._run_name}"}

    @property
    def where(self) -> str:
        """The store's URI, without a password."""
        return without_passwords(self._uri) if has_password(self._uri) else self._uri

    def begin(self, record: RunRecord) -> None:
        self._client = open_store(self._uri)
        revision = record.environment.get("revision")
        tags = {
            "mlflow.source.name": "mnist-job",
            "mlflow.source.type": "JOB",
            **({"mlflow.source.git.commit": revision} if revision else {}),
            "run_id": record.run_id,
            **{f"environment.{name}": value for name, value in flatten(record.environment).items()},
        }
        run = self._client.create_run(
            self._experiment(), run_name=self._run_name, start_time=round(record.started.timestamp() * 1000)
        )
        self._run_id = run.info.run_id
        self._tag(tags)
        given = keyed(parameters(record.config)).items()
        made = [self._entities.Param(key, in_text(value, LONGEST_VALUE)) for key, value in given]
        for batch in batches(made):
            self._client.log_batch(self._run_id, params=batch)

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._measure(metrics, step=epoch)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        manifest = sealed.manifest
        tags: dict[str, object] = {
            f"lineage.{step.component}": manifest.digest,
            f"fingerprint.{step.component}": manifest.fingerprint,
            f"status.{step.component}": step.status,
        }
        match manifest.artifact:
            case Examples() as made:
                tags |= {
                    f"source.{name}": value for name, value in flatten(made.source.model_dump(mode="json")).items()
                }
            case Model() as made:
                tags |= {"best_epoch": made.best_epoch, "weights_sha256": made.weights_sha256}
                if self._config.model:
                    self._store(sealed.directory, made.file_names(), "model")
            case Evaluation() as made:
                measured = flatten(made.metrics.model_dump(mode="json"))
                told = {name: it for name, it in measured.items() if not name.endswith(CONSTANT)}
                self._measure({f"{METRIC_PREFIX}{name}": it for name, it in told.items() if isinstance(it, float)})
                tags |= {"blessed": made.blessing.verdict == "BLESSED", "rubber_stamped": made.blessing.rubber_stamped}
            case Figures() as made:
                pictures = [figure.file for figure in made.figures]
                self._store(sealed.directory, pictures, "figures")
                # The page of the run, which has more in it, comes at the end.
                self._store(sealed.directory, {*made.file_names()} - {*pictures, made.report_file}, "")
        self._tag(tags)

    def end(self, record: RunRecord, directory: Path) -> None:
        told = {"outcome": record.outcome, "exit_code": record.exit_code, "seconds": record.seconds}
        self._tag(told | ({"failure": record.failure.headline} if record.failure else {}))
        # No step's folder, and nothing hidden: the record, and what else was written for a person.
        own = [path for path in directory.iterdir() if path.is_file()]
        self._store(directory, [path.name for path in own if path.suffix and not path.name.startswith(".")], "")
        self._client.set_terminated(self._run_id, STATUS[record.outcome])

    def give_up(self, why: str) -> None:
        if self._run_id:
            with suppress(Exception):
                self._tag({"not_followed_to_its_end": why})
            self._client.set_terminated(self._run_id, STATUS["terminated"])

    def _experiment(self) -> str:
        """Return the id of the experiment, which is made if it is not there.

        What a database does not hold itself lies below the root; a server, or a store of files, knows where to.
        """
        from mlflow.exceptions import MlflowException

        name = self._config.experiment
        if (found := self._client.get_experiment_by_name(name)) is None:
            own = urlsplit(self._uri).scheme.partition("+")[0] in DATABASES
            place = (self._root / "mlflow").resolve().as_uri() if own else None
            try:
                return str(self._client.create_experiment(name, artifact_location=place))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)  # another job may have been quicker
                if found is None:
                    raise
        return str(found.experiment_id)

    def _measure(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        now = round(time.time() * 1000)
        self._client.log_batch(
            self._run_id, metrics=[self._entities.Metric(key, it, now, step) for key, it in keyed(metrics).items()]
        )

    def _tag(self, tags: Mapping[str, object]) -> None:
        made = [self._entities.RunTag(key, in_text(value, LONGEST_TAG)) for key, value in keyed(tags).items()]
        for batch in batches(made):
            self._client.log_batch(self._run_id, tags=batch)

    def _store(self, directory: Path, names: Iterable[str], to: str) -> None:
        """Store files, and whole directories, of a directory below `to`, by their own names."""
        for name in sorted(names):
            folder = Path(to, name).parent.as_posix()
            self._client.log_artifact(self._run_id, str(directory / name), None if folder == "." else folder)

"""MLflow: one MLflow run per run of the job, through MLflow's client, without its global state or autologging.

The MLflow run is named by the run id, after the name that the user gave it, if any. If the job is interrupted and
started again, it continues the same MLflow run. After SIGKILL the MLflow run stays RUNNING until then.
"""

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from components.artifacts import Evaluation, Examples, Figures, Model
from components.base.text import DATABASES, escape_document, printable
from job.config.tracking import MlflowConfig
from job.store.records import RunRecord, StepRecord
from job.store.root import address, root_of
from job.store.sealed import SealedArtifact
from job.tracking.mlflow_client import (
    MAX_BATCH,
    MAX_PARAMETER_LENGTH,
    MAX_TAG_LENGTH,
    import_mlflow,
    open_client,
    sanitize_keys,
    store_uri,
)
from job.tracking.tracker import flatten, parameters

STATUS = {
    "succeeded": "FINISHED",
    "not_blessed": "FINISHED",
    "terminated": "KILLED",
    "paused": "KILLED",
    "failed": "FAILED",
}

TAGS_OF_AN_END = {"outcome", "exit_code", "seconds", "failure", "tracking_error"}


class MlflowTracker:
    """Records one run; every method may raise any exception of MLflow, its database or its server."""

    def __init__(self, config: MlflowConfig, root: Path, name: str) -> None:
        self._config, self._root = config, root
        self._run_name, self._run_id = name, ""
        self._uri = store_uri(config.uri, root)
        self._entities = import_mlflow(self._uri).entities
        self._client: Any = None
        self._recorded: set[tuple[str, int, float]] = set()

    @property
    def location(self) -> str:
        return f"{self.redacted_uri}, experiment {self._config.experiment}, run {self._run_name}"

    @property
    def redacted_uri(self) -> str:
        """The store's URI without a password."""
        return printable(self._uri)

    def begin(self, record: RunRecord) -> None:
        self._client = open_client(self._uri)
        experiment = self._experiment()
        run = self._continue_run(experiment, record.continues) if record.continues else None
        if run is None:
            started = round(record.started.timestamp() * 1000)
            run = self._client.create_run(experiment, run_name=self._run_name, start_time=started)
        self._run_id = run.info.run_id
        revision = record.environment.get("revision")
        self._log_texts(
            "tags",
            {
                "mlflow.source.name": "mnist-job",
                "mlflow.source.type": "JOB",
                **({"mlflow.source.git.commit": revision} if revision else {}),
                "run_id": record.run_id,
                **({"name": record.name} if record.name else {}),
                **({"mlflow.note.content": record.note} if record.note else {}),
                **{f"environment.{name}": value for name, value in flatten(record.environment).items()},
            },
        )
        self._log_texts("params", parameters(record.config))

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._log_metrics(metrics, step=epoch)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        manifest = sealed.manifest
        tags: dict[str, object] = {
            f"lineage.{step.component}": manifest.digest,
            f"fingerprint.{step.component}": manifest.fingerprint,
            f"status.{step.component}": step.status,
        }
        match manifest.artifact:
            case Examples() as examples:
                source = flatten(examples.source.model_dump(mode="json"))
                tags |= {f"source.{name}": value for name, value in source.items()}
            case Model() as model:
                tags |= {"best_epoch": model.best_epoch, "weights_sha256": model.weights_sha256}
                if self._config.model:
                    sealed.fetch()
                    self._log_files(sealed.directory, model.file_names(), "model")
            case Evaluation() as evaluation:
                metrics = {
                    f"test_{name}": value
                    for name, value in flatten(evaluation.metrics.model_dump(mode="json")).items()
                    # The confidence levels of the intervals are configured and not measured.
                    if isinstance(value, float) and not name.endswith(".confidence")
                }
                self._log_metrics(metrics)
                blessing = evaluation.blessing
                tags |= {"blessed": blessing.verdict == "BLESSED", "rubber_stamped": blessing.rubber_stamped}
            case Figures() as figures:
                sealed.fetch()
                pictures = {figure.file for figure in figures.figures}
                self._log_files(sealed.directory, pictures, "figures")
                # `end` stores the report of the run, which contains more than that of the step.
                self._log_files(sealed.directory, {*figures.file_names()} - {*pictures, figures.report_file})
        self._log_texts("tags", tags)

    def end(self, record: RunRecord, directory: Path) -> None:
        tags = record.model_dump(include={"outcome", "exit_code", "seconds"})
        self._log_texts("tags", tags | ({"failure": record.failure.headline} if record.failure else {}))
        # The record and the pages of the run, but neither the links to steps nor hidden files.
        files = [path.name for path in directory.iterdir() if path.is_file()]
        self._log_files(directory, (name for name in files if Path(name).suffix and not name.startswith(".")))
        self._client.set_terminated(self._run_id, STATUS[record.outcome])

    def abort(self, reason: str) -> None:
        if self._run_id:
            with suppress(Exception):
                self._log_texts("tags", {"tracking_error": reason})
            self._client.set_terminated(self._run_id, STATUS["terminated"])

    def _continue_run(self, experiment: str, first_attempt: str) -> Any:
        """Return the run of an interrupted attempt, or None if there is none; it is RUNNING again."""
        runs = self._client.search_runs([experiment], f"attributes.run_name LIKE '%{first_attempt}'", max_results=1)
        if not runs:
            return None
        run_id, tags = runs[0].info.run_id, runs[0].data.tags
        self._client.update_run(run_id, status="RUNNING")
        for tag in TAGS_OF_AN_END & tags.keys():
            self._client.delete_tag(run_id, tag)
        # Metrics cannot be deleted, so those that the interrupted attempt has recorded are not recorded again.
        for name in runs[0].data.metrics:
            points = self._client.get_metric_history(run_id, name)
            self._recorded |= {(name, point.step, point.value) for point in points}
        return runs[0]

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        name = self._config.experiment
        if (experiment := self._client.get_experiment_by_name(name)) is None:
            is_database = urlsplit(self._uri).scheme.partition("+")[0] in DATABASES
            # A server, or a store of files, has its own place for artifacts.
            location = self._artifact_location() if is_database else None
            try:
                return str(self._client.create_experiment(name, artifact_location=location))
            except MlflowException:
                experiment = self._client.get_experiment_by_name(name)  # another job may have created it first
                if experiment is None:
                    raise
        return str(experiment.experiment_id)

    def _artifact_location(self) -> str:
        folder = self._root / "mlflow"
        return folder.resolve().as_uri() if root_of(folder) is None else address(folder)  # MLflow uploads to s3 and gs

    def _log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        now = round(time.time() * 1000)
        new = {key: value for key, value in sanitize_keys(metrics).items() if (key, step, value) not in self._recorded}
        entities = [self._entities.Metric(key, value, now, step) for key, value in new.items()]
        self._client.log_batch(self._run_id, metrics=entities)

    def _log_texts(self, kind: Literal["params", "tags"], values: Mapping[str, object]) -> None:
        entity, max_length = {
            "params": (self._entities.Param, MAX_PARAMETER_LENGTH),
            "tags": (self._entities.RunTag, MAX_TAG_LENGTH),
        }[kind]
        entities = []
        for key, value in sanitize_keys(values).items():
            text = escape_document(value) if isinstance(value, str) else json.dumps(value)
            entities.append(entity(key, text if len(text) <= max_length else text[: max_length - 1] + "…"))
        for start in range(0, len(entities), MAX_BATCH):
            self._client.log_batch(self._run_id, **{kind: entities[start : start + MAX_BATCH]})

    def _log_files(self, directory: Path, names: Iterable[str], artifact_folder: str = "") -> None:
        for name in sorted(names):
            folder = Path(artifact_folder, name).parent.as_posix()
            self._client.log_artifact(self._run_id, str(directory / name), None if folder == "." else folder)

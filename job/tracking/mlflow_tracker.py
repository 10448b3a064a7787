"""MLflow: a run of the job as a run there, stored by its real client, without global state or autologging.

A run in MLflow is named by the job's run id. A job that is killed and started again is another run of both; what
training had done before is told there too. A run that was killed outright stays RUNNING in MLflow.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.artifacts import Evaluation, Examples, Figures, Model
from components.runtime.locks import hold
from job.tracking.config import has_password
from job.tracking.flattening import flatten, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from job.records import RunRecord, StepRecord
    from job.store import Sealed
    from job.tracking.config import MlflowConfig

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would tell its makers, over the internet
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # by itself it waits for up to two minutes, seven times over
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
"""What the environment says where it says nothing; MLflow reads it when it is imported, and at each request."""
ALLOW_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"
"""Without it, MLflow 3.17 refuses a store of plain files, which is not developed any further."""
URI = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
CHATTY = ("mlflow", "alembic", "urllib3.connectionpool")
"""Loggers that tell of new tables, and print the traceback of what they raise anyway."""

MOST_AT_ONCE = 100
"""Parameters, or tags, in a request."""
LONGEST_VALUE = 6000
LONGEST_TAG = 8000
LONGEST_KEY = 250
FORBIDDEN = re.compile(r"[^\w./ :-]")
"""In keys."""
STATUS = {"succeeded": "FINISHED", "not_blessed": "FINISHED", "terminated": "KILLED", "failed": "FAILED"}
METRIC_PREFIX = "test_"


class MlflowTracker:
    """Stores one run.

    Raises:
        Exception: from any of its methods, whatever MLflow, its database or its server come up with.
    """

    def __init__(self, config: MlflowConfig, root: Path) -> None:
        self._config = config
        self._root = root
        self._uri = config.uri or os.environ.get(URI) or f"{SQLITE}{root / 'mlflow.db'}"
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        if urlsplit(self._uri).scheme in ("", "file"):
            os.environ.setdefault(ALLOW_FILE_STORE, "true")
        import mlflow.entities

        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._entities = mlflow.entities
        database = Path(self._uri.removeprefix(SQLITE).partition("?")[0]) if self._uri.startswith(SQLITE) else None
        # Two that make the tables of one file at the same time spoil it.
        with nullcontext() if database is None else hold(database.with_name(f"{database.name}.lock")):
            self._client = mlflow.MlflowClient(self._uri, registry_uri=self._uri)
        self._run_id = ""
        self._run_name = ""

    @property
    def places(self) -> Mapping[str, str]:
        return {"mlflow": f"{self.where}, experiment {self._config.experiment}, run {self._run_name}"}

    @property
    def where(self) -> str:
        """The store's URI, without a password."""
        if not has_password(self._uri):
            return self._uri
        parts = urlsplit(self._uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def begin(self, record: RunRecord) -> None:
        revision = record.environment.get("revision")
        tags = {
            "mlflow.source.name": "mnist-job",
            "mlflow.source.type": "JOB",
            **({"mlflow.source.git.commit": revision} if revision else {}),
            "run_id": record.run_id,
            **{f"environment.{name}": value for name, value in flatten(record.environment).items()},
        }
        run = self._client.create_run(
            self._experiment(),
            run_name=record.run_id,
            start_time=round(record.started.timestamp() * 1000),
        )
        self._run_id, self._run_name = run.info.run_id, record.run_id
        self._tag(tags)
        given = parameters(record.config).items()
        made = [self._entities.Param(_key(name), _cut(_said(value), LONGEST_VALUE)) for name, value in given]
        for batch in _batches(made):
            self._client.log_batch(self._run_id, params=batch)

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._measure(metrics, step=epoch)

    def end_step(self, step: StepRecord, sealed: Sealed) -> None:
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
                self._measure({f"{METRIC_PREFIX}{name}": it for name, it in measured.items() if isinstance(it, float)})
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
        # No link, and nothing hidden: the record, and what else was written for a person.
        own = [path for path in sorted(directory.iterdir()) if path.is_file() and not path.is_symlink()]
        self._store(directory, [path.name for path in own if path.suffix and not path.name.startswith(".")], "")
        self._client.set_terminated(self._run_id, STATUS[record.outcome])

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
            self._run_id, metrics=[self._entities.Metric(_key(name), it, now, step) for name, it in metrics.items()]
        )

    def _tag(self, tags: Mapping[str, object]) -> None:
        made = [self._entities.RunTag(_key(name), _cut(_said(value), LONGEST_TAG)) for name, value in tags.items()]
        for batch in _batches(made):
            self._client.log_batch(self._run_id, tags=batch)

    def _store(self, directory: Path, names: Iterable[str], to: str) -> None:
        """Store files, and whole directories, of a directory below `to`, by their own names."""
        for name in sorted(names):
            path, into = directory / name, Path(to, name)
            if path.is_dir():
                self._client.log_artifacts(self._run_id, str(path), into.as_posix())
            else:
                folder = into.parent.as_posix()
                self._client.log_artifact(self._run_id, str(path), None if folder == "." else folder)


def _batches(made: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(made), MOST_AT_ONCE):
        yield made[start : start + MOST_AT_ONCE]


def _key(name: str) -> str:
    return FORBIDDEN.sub("_", name)[:LONGEST_KEY]


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

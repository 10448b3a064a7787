"""The summary of a run, for tables of all runs: what its record and the manifest of its model state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pydantic import Field

from components.artifacts import Epoch, Model
from job.store.differences import NO_EFFECT
from job.store.records import Outcome, RecordPart, RunRecord, SweepRecord

VERDICTS = {
    "running": "running",
    "succeeded": "done",
    "not_blessed": "NOT BLESSED",
    "failed": "failed",
    "terminated": "interrupted",
    "paused": "paused",
    "killed": "killed",
    "damaged": "damaged",
}
"""The verdict by outcome, if the model was not blessed."""
BLESSED = "BLESSED"
MAX_CURVE_POINTS = 24
FINGERPRINT_CHARACTERS = 16
ID_TIME = "%Y%m%d-%H%M%S"
"""Beginning of the id of a run."""
SAME_IN_RECORD = {
    *("run_id", "name", "note", "outcome", "exit_code", "started", "seconds", "cpu_seconds", "data_set", "blessed"),
    *("rubber_stamped", "sweep", "only", "from_run"),
}
"""Fields of a summary that are fields of the record."""


@dataclass(frozen=True)
class Facts:
    """Everything in a record that affects the results, by key."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """Values by key, such as `trainer.learning_rate.peak`."""
    source_files: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of packages, and of Python."""


class RecordKey(RecordPart):
    """Size and time of a `run.json`, which change with its content; zeros if it does not exist."""

    size: int = 0
    modified_ns: int = 0


class StepSummary(NamedTuple):
    """One step of a run; in JSON a list, because there are many."""

    component: str
    status: Literal["ran", "reused"]
    fingerprint: str
    """Its first characters."""


class RunSummary(RecordPart):
    """One run in a table of all runs."""

    run_id: str
    key: RecordKey
    outcome: Outcome | Literal["killed", "damaged"]
    """`killed` if the process ended without recording an outcome, `damaged` if `run.json` cannot be read."""
    started: datetime
    name: str | None = None
    note: str | None = None
    exit_code: int | None = None
    failure: str | None = None
    """Why the run did not finish."""
    seconds: float = 0.0
    cpu_seconds: float | None = None
    training_cpu_seconds: float | None = None
    """None if the run trained nothing."""
    data_set: str | None = None
    blessed: bool | None = None
    rubber_stamped: bool = False
    validation_accuracy: float | None = None
    """That of the best epoch, whose weights the model has."""
    test_accuracy: float | None = None
    test_accuracy_interval: tuple[float, float] | None = None
    parameters: int | None = None
    epochs: int | None = None
    curve: tuple[tuple[float, float], ...] = ()
    """Accuracy on the training and the validation images, by epoch from the first to the last; at most
    `MAX_CURVE_POINTS` epochs."""
    steps: tuple[StepSummary, ...] = ()
    has_report: bool = False
    sweep: SweepRecord | None = None
    only: str | None = None
    from_run: str | None = None
    facts: Facts = Field(default_factory=Facts, exclude=True, repr=False)
    """Everything in the record that affects the results."""

    @property
    def verdict(self) -> str:
        """The verdict in tables; for a run without an evaluation, the outcome."""
        return BLESSED if self.blessed and self.outcome == "succeeded" else VERDICTS[self.outcome]


def summarize(record: RunRecord, model: Model | None, *, key: RecordKey, is_alive: bool) -> RunSummary:
    """Return the summary of a run with the statement of its model; `is_alive` is false if its process ended without
    recording an outcome."""
    metrics, environment = record.metrics or {}, record.environment
    interval = metrics.get("accuracy_interval")
    packages = {**environment.get("libraries", {}), "python": environment.get("python")}
    fields: dict[str, Any] = {name: getattr(record, name) for name in SAME_IN_RECORD}
    if record.outcome == "running" and not is_alive:
        fields["outcome"] = "killed"
    return RunSummary(
        **fields,
        key=key,
        failure=None if record.failure is None else record.failure.headline,
        training_cpu_seconds=record.training_cpu_seconds(),
        validation_accuracy=None if model is None else model.best.val_accuracy,
        test_accuracy=metrics.get("accuracy"),
        test_accuracy_interval=None if interval is None else (interval["low"], interval["high"]),
        parameters=None if model is None else model.parameters,
        epochs=None if model is None else len(model.history),
        curve=() if model is None else learning_curve(model.history),
        steps=tuple(
            StepSummary(step.component, step.status, step.fingerprint[:FINGERPRINT_CHARACTERS]) for step in record.steps
        ),
        has_report=record.report is not None,
        facts=Facts(
            config=flatten({key: value for key, value in record.config.items() if key not in NO_EFFECT}),
            source_files=record.source_files,
            packages={name: version for name, version in packages.items() if version is not None},
        ),
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their keys joined with dots; an empty section has none.

    >>> flatten({"seed": 0, "trainer": {"network": {"filters": [4, 8]}, "freeze": []}, "visualizer": {}})
    {'seed': 0, 'trainer.network.filters': [4, 8], 'trainer.freeze': []}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def damaged(run_id: str, problem: str) -> RunSummary:
    """Return the summary of a run whose record cannot be read."""
    started = datetime.strptime("-".join(run_id.split("-")[:2]), ID_TIME).replace(tzinfo=UTC)
    return RunSummary(run_id=run_id, key=RecordKey(), outcome="damaged", started=started, failure=problem)


def learning_curve(history: tuple[Epoch, ...]) -> tuple[tuple[float, float], ...]:
    """Return the accuracies on the training and the validation images, at most `MAX_CURVE_POINTS` of them."""
    count, last = min(len(history), MAX_CURVE_POINTS), len(history) - 1
    places = [round(last * place / max(1, count - 1)) for place in range(count)]
    return tuple((round(history[at].accuracy, 4), round(history[at].val_accuracy, 4)) for at in places)

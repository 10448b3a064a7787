"""Records: the content of `run.json`, from a run's configuration to its outcome."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.base.cluster import Cluster
from components.base.errors import ExitCode
from components.base.formatting import format_distinct
from components.base.text import SURROGATES, escape_json, printable
from components.base.timing import Elapsed, Stopwatch
from job.pipeline.slots import SLOTS

Outcome = Literal["running", "succeeded", "not_blessed", "failed", "terminated", "paused"]
Seconds = Annotated[float, Field(ge=0)]


class RecordPart(BaseModel):
    """Base of everything in `run.json`: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PartRecord(RecordPart):
    """Duration of one part of a step."""

    name: str
    """Such as `imports` or `training`; those of the runner are `fingerprint`, `waiting`, `look-up`, `sealing` and
    `publishing`."""
    seconds: Seconds
    cpu_seconds: Seconds


class ReferenceRecord(RecordPart):
    """The artifact that was found for an optional input."""

    requested: str
    """Its name in the configuration, such as `latest-blessed`."""
    run_id: str | None = None
    """The run by which it was found; None if it was found by its path."""
    component: str
    """The slot that produced it."""
    fingerprint: str
    digest: str
    path: str


class StepRecord(RecordPart):
    """One step of a run."""

    component: str
    """The slot, such as `trainer`."""
    implementation: str
    """Import string of the component's class."""
    status: Literal["ran", "reused"]
    reason: str
    """Why the step ran, or why its artifact was reused."""
    seconds: Seconds
    cpu_seconds: Seconds
    parts: tuple[PartRecord, ...] = ()
    """Durations of the named parts; they may add up to less than the step."""
    fingerprint: str
    digest: str
    path: str
    references: dict[str, ReferenceRecord] = {}
    """The artifact of each optional input that was configured and found."""
    skipped: dict[str, dict[str, int]] = {}
    """Newer blessed artifacts that `latest-blessed` skipped: by optional input and reason, their number."""
    observations: dict[str, float] = {}
    """Measurements of this run that are not part of the artifact; each name ends with the unit."""
    published: str | None = None
    """Where the artifact was published, such as `version 3: serving/mnist/3`; None if it was not."""
    peak_memory_bytes: int | None = None
    """The highest memory of the process until the step ended; None if it was not measured."""


class Failure(RecordPart):
    """Why a run did not finish."""

    component: str | None
    """The step that failed, if any."""
    seconds: Seconds = 0.0
    """Duration of that step until the failure."""
    cpu_seconds: Seconds = 0.0
    parts: tuple[PartRecord, ...] = ()
    headline: str
    expected: str
    remedy: str


TimedRecord = StepRecord | Failure
Duration = Elapsed | PartRecord | TimedRecord


class SweepRecord(RecordPart):
    """The sweep and the trial that a run belongs to."""

    id: str
    """The name of the sweep's folder."""
    trial: int
    """The number of the trial, from 0."""
    parameters: dict[str, Any]
    """The values that the sweep chose, by key of the configuration."""


class ClusterRecord(RecordPart):
    """The workers that ran a step of the run together."""

    workers: tuple[str, ...]
    """Address of each worker, as host and port; worker 0 wrote the record."""
    source: str
    """What names them, such as `TF_CONFIG`."""

    @classmethod
    def of(cls, cluster: Cluster) -> "ClusterRecord":
        """Return the record of a cluster."""
        return cls(workers=cluster.workers, source=cluster.source)

    def as_worker(self, index: int) -> Cluster:
        """Return the cluster with the index of one of its workers."""
        return Cluster(workers=self.workers, index=index, source=self.source)


class RunRecord(RecordPart):
    """The content of `run.json`."""

    schema_version: Literal[2, 3, 4, 5] = 5
    """Version 2 has neither `data_set` nor `skipped`. Version 3 has none of `name`, `note`, `only`, `from_run`,
    `sweep`, `source_files` and `peak_memory_bytes`, nor the outcome `paused`. Version 4 has no `cluster`."""
    run_id: str
    name: str | None = None
    """The name that the user gave the run; other runs may have the same."""
    note: str | None = None
    """A remark of the user."""
    only: str | None = None
    """The component, if only one was run on artifacts of an earlier run."""
    from_run: str | None = None
    """The id of that earlier run."""
    sweep: SweepRecord | None = None
    """None if the run is not part of a sweep."""
    cluster: ClusterRecord | None = None
    """None if one process ran all steps."""
    outcome: Outcome
    exit_code: int | None
    """None while the run is in progress."""
    data_set: str | None = None
    """Title of the data; None until the first step ends."""
    blessed: bool | None = None
    """None if no model was evaluated."""
    metrics: dict[str, Any] | None = None
    """The evaluation's metrics on the test split; at least `accuracy` and `loss`."""
    rubber_stamped: bool = False
    """Whether the model was blessed without a baseline to compare it with."""
    worst_slices: tuple[dict[str, Any], ...] = ()
    """The slices with the lowest accuracy, lowest first, each with its key."""
    checks: tuple[dict[str, Any], ...] = ()
    """The evaluation's thresholds: name, measured value, limits, and whether the check passed."""
    steps: tuple[StepRecord, ...] = ()
    withheld: str | None = None
    """Why the Pusher did not push the model; None if it did, or if there is no Pusher."""
    report: str | None = None
    """Path of the run's report; None if there is none."""
    model_card: str | None = None
    """Path of the model card; None if there is none."""
    continues: str | None = None
    """The first attempt, if this run continues an interrupted one that is tracked; tools record them as one run."""
    tracking: dict[str, str] = {}
    """Where each tracking tool stores the run, or why it failed."""
    failure: Failure | None = None
    started: datetime
    seconds: Seconds = 0.0
    cpu_seconds: Seconds | None = None
    """CPU time of the run, or of the whole process if the command line started it; None while it is in progress."""
    config: dict[str, Any]
    environment: dict[str, Any]
    source_files: dict[str, str] = {}
    """Of each source file of the components: the first 16 characters of its SHA-256."""

    @property
    def has_results(self) -> bool:
        """Whether the run finished, or wrote its report before it failed."""
        return self.outcome in ("succeeded", "not_blessed") or self.report is not None

    def producers(self, slot: str) -> Iterator[StepRecord]:
        """Yield the steps that may have produced a slot's artifact, the last first: custom steps may replace it."""
        return (step for step in reversed(self.steps) if step.component == slot or step.component not in SLOTS)

    def failed_checks(self) -> list[str]:
        """Return a description of each threshold that the model did not meet."""
        return [describe_check(check) for check in self.checks if not check["passed"]]

    def unfinished_step(self) -> str | None:
        """Return the step that started and did not finish, if any."""
        slot = None if self.failure is None else self.failure.component
        return None if slot in {step.component for step in self.steps} else slot

    def timed_records(self) -> tuple[TimedRecord, ...]:
        """Return everything that took time: the steps, and the failure if there is one."""
        return self.steps if self.failure is None else (*self.steps, self.failure)

    def training_cpu_seconds(self) -> float | None:
        """Return the CPU time in which a model was fitted, without overhead; None if nothing was trained."""
        parts = [part for timed in self.timed_records() for part in timed.parts if part.name == "training"]
        return sum(part.cpu_seconds for part in parts) if parts else None

    def to_json(self) -> str:
        """Return the record as readable JSON."""
        return escape_json(self.model_dump_json(indent=2))


def describe_check(check: dict[str, Any]) -> str:
    """Return a check with its value and limits, such as `recall of class/7 is 0.8912, minimum 0.95`."""
    limits = {side: check[side] for side in ("minimum", "maximum") if check[side] is not None}
    value = "undefined" if check["value"] is None else format_distinct(check["value"], limits.values(), ".{}g")
    bounds = [f"{side} {limit:g}" for side, limit in limits.items()]
    p_value = "" if check["p_value"] is None else f" (p {check['p_value']:.2g})"
    return f"{printable(check['name'])} is {value}{p_value}, {' and '.join(bounds)}"


def timing_fields(stopwatch: Stopwatch) -> dict[str, Any]:
    """Return the reading of a stopwatch as the fields of a step or failure."""
    parts = tuple(PartRecord(name=name, **duration_fields(part)) for name, part in stopwatch.parts().items())
    return {**duration_fields(stopwatch.elapsed()), "parts": parts}


def duration_fields(elapsed: Duration) -> dict[str, float]:
    """Return a duration as the fields of a record, rounded to milliseconds."""
    return {"seconds": round(elapsed.seconds, 3), "cpu_seconds": round(elapsed.cpu_seconds, 3)}


def remaining_time(whole: Duration, parts: Iterable[Duration]) -> Elapsed:
    """Return the time of `whole` that none of its parts covers."""
    known = list(parts)
    return Elapsed(  # not below 0: each value was rounded
        max(0.0, whole.seconds - sum(part.seconds for part in known)),
        max(0.0, whole.cpu_seconds - sum(part.cpu_seconds for part in known)),
    )


def encodable(values: dict[str, Any]) -> dict[str, Any]:
    r"""Return JSON values with escapes for the bytes in their texts that are not UTF-8, which JSON cannot contain.

    >>> print(encodable({"revision": "\udcff"})["revision"])
    \udcff
    """
    text = json.dumps(values, ensure_ascii=False)
    escaped: dict[str, Any] = json.loads(re.sub(f"[{SURROGATES}]", lambda found: rf"\\u{ord(found[0]):04x}", text))
    return escaped


def outcome_of(exit_code: ExitCode) -> Outcome:
    """Return the outcome of a run with this exit code."""
    outcomes: dict[ExitCode, Outcome] = {
        ExitCode.SUCCEEDED: "succeeded",
        ExitCode.NOT_BLESSED: "not_blessed",
        ExitCode.TERMINATED: "terminated",
    }
    return outcomes.get(exit_code, "failed")

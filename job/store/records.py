"""What `run.json` holds: one run, from what was asked to how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from components.base.errors import ExitCode
from components.base.numbers import format_distinct
from components.base.timing import Elapsed, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterable

Outcome = Literal["running", "succeeded", "not_blessed", "failed", "terminated"]
Seconds = Annotated[float, Field(ge=0)]
TRAINING = "training"
"""The part of a step in which a network learns; all else is what the job takes around it."""


class RunPart(BaseModel):
    """Base of what `run.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PartRecord(RunPart):
    """What one part of a step took."""

    name: str
    """Such as `imports` or `training`; the runner's own are `fingerprint`, `waiting`, `look-up`, `sealing` and
    `publishing`."""
    seconds: Seconds
    cpu_seconds: Seconds


class Took(Protocol):
    """What took time."""

    @property
    def seconds(self) -> float: ...

    @property
    def cpu_seconds(self) -> float: ...


class Timed(Took, Protocol):
    """What took time, and in which parts."""

    @property
    def parts(self) -> tuple[PartRecord, ...]: ...


class ReferenceRecord(RunPart):
    """What was found for an optional input that the configuration refers to."""

    requested: str
    """What the configuration calls it, such as `latest-blessed`."""
    run_id: str | None = None
    """The run that it was found by, if it was."""
    component: str
    """The slot that made it."""
    fingerprint: str
    digest: str
    path: str


class StepRecord(RunPart):
    """One step of a run."""

    component: str
    """The slot, such as `trainer`."""
    implementation: str
    """The class that filled it, as an import string."""
    status: Literal["ran", "reused"]
    reason: str
    """Why it was reused, or had to run."""
    seconds: Seconds
    cpu_seconds: Seconds
    parts: tuple[PartRecord, ...] = ()
    """What of it went into what; what no part names is in none."""
    fingerprint: str
    digest: str
    path: str
    references: dict[str, ReferenceRecord] = {}
    """What was found for the optional inputs that the configuration refers to; what is not there was not found."""
    observations: dict[str, float] = {}
    """What the step took down of itself, if it ran: each name ends with the unit."""
    published: str | None = None
    """What became of it outside of the root, such as `version 3: serving/mnist/3`; None if nothing did."""


class Failure(RunPart):
    """Why a run did not finish."""

    component: str | None
    """The step in which it happened, if any."""
    seconds: Seconds = 0.0
    """What that step had taken by then."""
    cpu_seconds: Seconds = 0.0
    parts: tuple[PartRecord, ...] = ()
    headline: str
    expected: str
    remedy: str


class RunRecord(RunPart):
    """What `run.json` holds: one run, from what was asked to how it ended."""

    schema_version: Literal[2] = 2
    run_id: str
    outcome: Outcome
    exit_code: int | None
    """None while it is running."""
    blessed: bool | None = None
    """None if no model was evaluated."""
    metrics: dict[str, Any] | None = None
    """The evaluation's metrics on the test split; at least `accuracy` and `loss`."""
    rubber_stamped: bool = False
    """Whether it was blessed without a baseline to compare with."""
    worst_slices: tuple[dict[str, Any], ...] = ()
    """The evaluation's slices of the lowest accuracy, the worst first, each with its key."""
    checks: tuple[dict[str, Any], ...] = ()
    """The evaluation's thresholds, each with its name, what was measured and whether it passed."""
    steps: tuple[StepRecord, ...] = ()
    withheld: str | None = None
    """Why the model was not pushed, if it was to be."""
    report: str | None = None
    """Path of the page that tells of the run; None if it has none."""
    model_card: str | None = None
    """Path of the model's card; None if it has none."""
    tracking: dict[str, str] = {}
    """Where the tools that follow the run have it, by their names, and which of them did not to its end."""
    failure: Failure | None = None
    started: datetime
    seconds: Seconds = 0.0
    cpu_seconds: Seconds | None = None
    """On the processors, of the whole process where the command line began it; None while it is running."""
    config: dict[str, Any]
    environment: dict[str, Any]

    def missed(self) -> list[str]:
        """Return each threshold that the model did not meet, in words."""
        return [in_words(check) for check in self.checks if not check["passed"]]

    def broken_step(self) -> str | None:
        """Return the step that was begun and did not end, if there is one."""
        slot = None if self.failure is None else self.failure.component
        return None if slot in {step.component for step in self.steps} else slot

    def timed(self) -> tuple[Timed, ...]:
        """Return all that took time in steps, also the one that did not end."""
        return self.steps if self.failure is None else (*self.steps, self.failure)

    def training(self) -> float | None:
        """Return the CPU-seconds that went into training; None if nothing was trained."""
        parts = [part for timed in self.timed() for part in timed.parts if part.name == TRAINING]
        return sum(part.cpu_seconds for part in parts) if parts else None

    def to_json(self) -> str:
        """Return the record as JSON that a person can read."""
        return self.model_dump_json(indent=2)


def in_words(check: dict[str, Any]) -> str:
    """Return what was measured and its bound, such as `recall of class/7 is 0.8912, minimum 0.95`."""
    limits = {side: check[side] for side in ("minimum", "maximum") if check[side] is not None}
    value = "not to be had" if check["value"] is None else format_distinct(check["value"], limits.values(), ".{}g")
    bounds = [f"{side} {limit:g}" for side, limit in limits.items()]
    noise = "" if check["p_value"] is None else f" (p {check['p_value']:.2g})"
    return f"{check['name']} is {value}{noise}, {' and '.join(bounds)}"


def times(stopwatch: Stopwatch) -> dict[str, Any]:
    """Return what a stopwatch shows as the fields of a record."""
    whole, parts = stopwatch.whole(), stopwatch.parts()
    return {
        **rounded(whole),
        "parts": tuple(PartRecord(name=name, **rounded(spent)) for name, spent in parts.items()),
    }


def rounded(spent: Elapsed) -> dict[str, float]:
    """Return time that went by as the fields of a record, to the millisecond."""
    return {"seconds": round(spent.seconds, 3), "cpu_seconds": round(spent.cpu_seconds, 3)}


def left_over(whole: Took, parts: Iterable[Took]) -> Elapsed:
    """Return what of the whole is in none of its parts."""
    left = sum((Elapsed(-part.seconds, -part.cpu_seconds) for part in parts), Elapsed(whole.seconds, whole.cpu_seconds))
    return Elapsed(max(0.0, left.seconds), max(0.0, left.cpu_seconds))  # each was rounded


def outcome_of(exit_code: ExitCode) -> Outcome:
    """Return the word for an exit code."""
    words: dict[ExitCode, Outcome] = {
        ExitCode.SUCCEEDED: "succeeded",
        ExitCode.NOT_BLESSED: "not_blessed",
        ExitCode.TERMINATED: "terminated",
    }
    return words.get(exit_code, "failed")

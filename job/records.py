"""What `run.json` holds: one run, from what was asked to how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.errors import ExitCode

Outcome = Literal["running", "succeeded", "not_blessed", "failed", "terminated"]


class RunPart(BaseModel):
    """Base of what `run.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StepRecord(RunPart):
    """One step of a run."""

    component: str
    """The slot, such as `trainer`."""
    implementation: str
    """The class that filled it, as an import string."""
    status: Literal["ran", "reused"]
    reason: str
    """Why it was reused, or had to run."""
    seconds: Annotated[float, Field(ge=0)]
    cpu_seconds: Annotated[float, Field(ge=0)]
    fingerprint: str
    digest: str
    path: str


class Failure(RunPart):
    """Why a run did not finish."""

    component: str | None
    """The step in which it happened, if any."""
    headline: str
    expected: str
    remedy: str


class RunRecord(RunPart):
    """What `run.json` holds: one run, from what was asked to how it ended."""

    schema_version: Literal[1] = 1
    run_id: str
    outcome: Outcome
    exit_code: int | None
    """None while it is running."""
    blessed: bool | None = None
    """None if no model was evaluated."""
    metrics: dict[str, Any] | None = None
    """The evaluation's metrics on the test split; at least `accuracy` and `loss`."""
    checks: tuple[dict[str, Any], ...] = ()
    """The evaluation's thresholds, each with what was measured and whether it passed."""
    steps: tuple[StepRecord, ...] = ()
    failure: Failure | None = None
    started: datetime
    seconds: Annotated[float, Field(ge=0)] = 0.0
    config: dict[str, Any]
    environment: dict[str, Any]

    def missed(self) -> list[str]:
        """Return each threshold that the model did not meet, in words."""
        return [
            f"{check['metric']} is {check['value']:.4f}, "
            + " and ".join(f"{side} {check[side]:g}" for side in ("minimum", "maximum") if check[side] is not None)
            for check in self.checks
            if not check["passed"]
        ]

    def to_json(self) -> str:
        """Return the record as JSON that a person can read."""
        return self.model_dump_json(indent=2)


def outcome_of(exit_code: ExitCode) -> Outcome:
    """Return the word for an exit code."""
    words: dict[ExitCode, Outcome] = {
        ExitCode.SUCCEEDED: "succeeded",
        ExitCode.NOT_BLESSED: "not_blessed",
        ExitCode.TERMINATED: "terminated",
    }
    return words.get(exit_code, "failed")

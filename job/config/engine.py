"""The section `engine` of a configuration: where ExampleGen and Transform process the files of a data set."""

from contextlib import AbstractContextManager
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.base.engine import Engine

MAX_WORKERS = 1024


class EngineConfig(BaseModel):
    """Where the files of a large data set are processed. Results do not depend on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["processes"] = "processes"
    """`processes` of this machine."""
    workers: Annotated[int, Field(strict=True, ge=1, le=MAX_WORKERS)] | None = None
    """The number of processes; by default one per CPU that the job may use. They share `memory_budget`."""

    def open(self) -> AbstractContextManager[Engine]:
        """Return the engine; its processes start when they are needed, and end with the block."""
        from components.runtime.processes import Processes
        from components.runtime.resources import cpu_limit

        return Processes(self.workers or cpu_limit())

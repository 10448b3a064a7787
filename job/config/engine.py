"""The section `engine` of a configuration: where ExampleGen and Transform process the files of a data set."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.base.engine import Engine

MAX_WORKERS = 1024


class EngineConfig(BaseModel):
    """Where the files of a large data set are processed. Results do not depend on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["processes", "dask"] = "processes"
    """`processes` of this machine, or the workers of a `dask` cluster, which need the same libraries and root."""
    workers: Annotated[int, Field(strict=True, ge=1, le=MAX_WORKERS)] | None = None
    """The number of processes; by default one per CPU that the job may use. They share `memory_budget`."""
    address: Annotated[str, Field(pattern=r"^[a-z]+://\S+$")] | None = None
    """The address of the Dask scheduler, such as tcp://scheduler:8786."""

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind == "dask" and self.address is None:
            raise ValueError("`kind: dask` needs `address`, such as tcp://scheduler:8786")
        if self.kind == "dask" and self.workers is not None:
            raise ValueError("`workers` is the number of processes; a Dask cluster has its own workers")
        if self.kind == "processes" and self.address is not None:
            raise ValueError("`address` is that of a Dask scheduler; add `kind: dask`")
        return self

    def preflight(self) -> None:
        """Raise ConfigError if the engine is not installed."""
        if self.kind == "dask":
            from components.runtime.dask import require_dask

            require_dask()

    def open(self, folder: Path) -> AbstractContextManager[Engine]:
        """Return the engine for tasks on files below a folder; it starts on first use, and ends with the block."""
        if self.address is not None:
            from components.runtime.dask import Dask

            return Dask(self.address, folder)
        from components.runtime.processes import Processes
        from components.runtime.resources import cpu_limit

        return Processes(self.workers or cpu_limit())

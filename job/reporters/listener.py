"""The interface of everything that follows a run: reporters and trackers."""

from pathlib import Path
from typing import Protocol

from components.base.cluster import Cluster
from components.base.errors import JobError
from components.base.progress import Progress
from job.store.records import RunRecord, StepRecord
from job.store.sealed import SealedArtifact


class StepListener(Progress, Protocol):
    """Called during a step, also by its component, as `Progress`."""

    def begin_part(self, part: str) -> None:
        """Called when the step begins or continues a part of its work, such as `reading`."""

    def waiting(self, owner: str) -> None:
        """Called while another run, the owner of the lock, produces the same artifact."""


class WorkerListener(StepListener, Protocol):
    """Called on a worker other than worker 0, which writes nothing but its log."""

    def begin_worker(self, cluster: Cluster, root: str) -> None:
        """Called when the worker begins; `root` is the path or URL that all workers share."""

    def begin_step(self, slot: str) -> None:
        """Called when the worker waits for the artifact of a step, or takes part in it."""

    def end_worker(self, cluster: Cluster, slot: str | None) -> None:
        """Called when the worker is done; `slot` is the last step in which it took part, or None."""

    def failed(self, error: JobError, *, resume: str) -> None:
        """Called when the worker failed; `resume` is the command that starts it again."""


class RunListener(StepListener, Protocol):
    """Called by the runner during a run."""

    def begin(self, record: RunRecord, directory: Path) -> None:
        """Called when a run begins, with the folder of its record."""

    def begin_step(self, slot: str) -> None:
        """Called when a step begins."""

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        """Called when a step is done, with its artifact."""

    def end(self, record: RunRecord, directory: Path) -> None:
        """Called when the run is over, also if it failed."""

    def failed(self, error: JobError, *, resume: str) -> None:
        """Called when a run failed; `resume` is the command that continues it, or empty if it did not begin."""

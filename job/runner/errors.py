"""Translate every exception that can end a run into a JobError."""

from pathlib import Path

from components.base.errors import JobError, ResourceError, StorageError, first_line, one_line
from components.runtime.disk import FREE_SPACE, disk_full_error, is_disk_full
from job.signals import Interrupted

RUN_ENDING_EXCEPTIONS = (Exception, SystemExit, Interrupted)
"""A component may call `sys.exit`, and a signal may arrive at any moment."""


def as_job_error(error: BaseException, root: Path) -> JobError:
    """Return the JobError for an exception that ended a run with this root."""
    if isinstance(error, StorageError) and error.remedy == FREE_SPACE:
        error.remedy = "free some space (`python -m job gc` lists what no run uses), or set a --root on another disk"
    if isinstance(error, JobError):
        return error
    if isinstance(error, Interrupted):
        return error.error
    if isinstance(error, OSError) and is_disk_full(error, root):
        return as_job_error(disk_full_error(root), root)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return ResourceError(
            f"there is not enough memory: {first_line(error)}",
            expected="memory for the images, the network and a batch",
            remedy="give the job more, or lower trainer.batch_size",
        )
    return JobError(f"internal error: {one_line(error)}", remedy="run again with --debug to see where")

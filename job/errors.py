"""Translate every exception that can end a command into a JobError."""

import errno
import os
from pathlib import Path

from components.base.addresses import copied_folder
from components.base.errors import ConfigError, JobError, ResourceError, StorageError, first_line, one_line, user_line
from components.base.termination import Interrupted
from components.object_storage.settings import CACHE_VARIABLE, is_in_cache
from components.runtime.disk import FREE_SPACE, disk_full_error, file_limit_error, is_disk_full, is_over_file_limit

PERMANENT_ERRNOS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
    *(errno.EEXIST, errno.ENOTEMPTY, errno.EILSEQ),
}
"""These errors of the operating system last until a person acts."""
RESOURCE_ERRNOS = {
    *(errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EIO, errno.ESTALE, errno.ENOLCK, errno.ENODEV, errno.ENXIO),
    *(errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ECONNRESET, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN),
}
"""These say that the machine lacks something, or that a file server or device does not respond."""


def as_job_error(error: BaseException, root: Path | None = None) -> JobError:
    """Return the JobError for an exception that ended a command; `root` is the folder to which a run writes."""
    if isinstance(error, StorageError) and error.remedy == FREE_SPACE:
        error.remedy = (
            f"free some space, or set a cache on another disk with {CACHE_VARIABLE}"
            if error.folder is not None and is_in_cache(error.folder)
            else "free some space (`python -m job gc` lists what no run uses), or set a --root on another disk"
        )
    if isinstance(error, JobError):
        return error
    if isinstance(error, Interrupted):
        return error.error
    out_of_memory = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if out_of_memory or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return ResourceError(
            f"there is not enough memory: {first_line(error)}",
            expected="memory for the images, the network and a batch",
            remedy="give the job more, or lower trainer.batch_size",
        )
    if isinstance(error, Exception) and is_over_file_limit(error):
        return file_limit_error()
    if isinstance(error, OSError) and (translated := _translate_os_error(error, root)):
        return translated
    remedy = (
        "run the same command again, and report it if it repeats"
        if root is None
        else "read its traceback, which --debug prints"
    )
    return JobError(f"internal error: {one_line(error)}{user_line(error)}", remedy=remedy)


def check_working_directory() -> None:
    """Raise ConfigError if the working directory does not exist any more, so that no relative path has a meaning."""
    try:
        Path.cwd()
    except OSError as error:
        raise ConfigError(
            f"the working directory cannot be used: {error.strerror}",
            expected="a directory that exists",
            remedy="change to another directory, and run the same command again",
        ) from error


def _translate_os_error(error: OSError, root: Path | None) -> JobError | None:
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else root
    if place is not None and is_disk_full(error, copied_folder(place) or root or place):
        return as_job_error(disk_full_error(copied_folder(place) or root or place), root)
    problem = f"{error.strerror}" if place is None else f"{place}: {error.strerror}"
    if place is not None and copied_folder(place) is not None:
        return ResourceError(
            f"the cache cannot be used: {problem}",
            expected=f"a local folder ({CACHE_VARIABLE}) that the job may use, and that exists until the run ends",
            remedy="correct it, and run the same command again",
        )
    if error.errno in PERMANENT_ERRNOS:
        remedy = "correct the path, or give the job permission"
        return ConfigError(problem, expected="a file or folder that the job may use", remedy=remedy)
    if error.errno in RESOURCE_ERRNOS:
        remedy = "run the same command again, or use another machine"
        return ResourceError(
            problem, expected="enough open files and processes, and devices and servers that respond", remedy=remedy
        )
    return None

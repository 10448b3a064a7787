"""What can go wrong, as one tree; every leaf knows the exit code that a batch runner sees.

JobError                    1  a defect, or a failure that fits nothing below
├── ConfigError             2  the configuration or the command line says something impossible
├── DataError               3  the data is missing, malformed or does not fit
│   └── IntegrityError      3  a sealed artifact is not what its manifest says
├── StorageError            1  there is no space left on the disk
├── ResourceError           5  an accelerator or another resource that was asked for is not here
└── TerminationError      143  the job was asked to end, by SIGTERM or from the keyboard
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError


class ExitCode(IntEnum):
    """Exit codes of the job; a batch runner decides by them whether to retry."""

    SUCCEEDED = 0
    DEFECT = 1
    USAGE = 2
    BAD_DATA = 3
    NOT_BLESSED = 4
    MISSING_RESOURCE = 5
    TERMINATED = 143


class JobError(Exception):
    """A failure told in one sentence, with what was expected and what to do about it.

    Args:
        headline: what is wrong and where, in one sentence without its full stop.
        expected: what would have been right.
        remedy: what the reader can do now.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.DEFECT

    def __init__(self, headline: str, *, expected: str = "", remedy: str = "") -> None:
        super().__init__(headline)
        self.headline = headline
        self.expected = expected
        self.remedy = remedy


class ConfigError(JobError):
    """The configuration or the command line says something impossible."""

    exit_code = ExitCode.USAGE


class DataError(JobError):
    """The data is missing, malformed, or does not fit what was asked of it."""

    exit_code = ExitCode.BAD_DATA


class IntegrityError(DataError):
    """A sealed artifact is not what its manifest says."""


class StorageError(JobError):
    """There is no space left on the disk: a batch runner may retry, elsewhere or when there is some."""


class ResourceError(JobError):
    """An accelerator or another resource that was asked for is not here."""

    exit_code = ExitCode.MISSING_RESOURCE


class TerminationError(JobError):
    """The job was asked to end, by SIGTERM or from the keyboard."""

    exit_code = ExitCode.TERMINATED


def first_validation_error(error: ValidationError) -> str:
    """Return the first thing that pydantic found wrong with a value: where, and what."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def one_line(error: BaseException) -> str:
    """Return an error that nobody foresaw in one line: its type, and the first line of what it says.

    >>> one_line(ValueError("not a number\\nat all"))
    'ValueError: not a number'
    """
    return f"{type(error).__name__}: {first_line(error)}"

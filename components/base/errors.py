"""The errors of the job, as one tree. Each class has the exit code that a batch runner receives.

JobError                    1  an internal error, or a failure that fits nothing below
├── ConfigError             2  the configuration or the command line is invalid
├── DataError               3  the data is missing, malformed or does not fit
│   └── IntegrityError      3  a sealed artifact differs from its manifest
├── StorageError            1  the disk is full
├── ResourceError           5  a required resource is missing or unreachable: a GPU, memory, the network
└── TerminationError      143  the job was interrupted, by SIGTERM or from the keyboard
"""

import traceback
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ValidationError

from components.base.addresses import with_addresses
from components.base.text import MESSAGE_LIMIT, printable


class ExitCode(IntEnum):
    """Exit codes of the job; a batch runner uses them to decide whether to retry."""

    SUCCEEDED = 0
    INTERNAL_ERROR = 1
    USAGE = 2
    BAD_DATA = 3
    NOT_BLESSED = 4
    MISSING_RESOURCE = 5
    TERMINATED = 143


SAVED = "its progress is saved"
"""In the headline of a TerminationError."""


class JobError(Exception):
    """Base of all errors of the job: what is wrong, what was expected, and how to correct it.

    Args:
        headline: what is wrong and where, in one sentence without its full stop.
        expected: what would have been correct.
        remedy: what the user can do.

    >>> error = ConfigError.at("job.yaml:3", "epochs is -1", expected="a whole number from 1")
    >>> print(error)
    job.yaml:3: epochs is -1
      expected: a whole number from 1
      remedy:   correct it
    >>> int(error.exit_code)
    2
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL_ERROR
    is_of_machine: ClassVar[bool] = False
    """Whether the message is about this machine, so that local folders keep their paths."""

    def __init__(self, headline: str, *, expected: str = "", remedy: str = "") -> None:
        # Here, and not where it is printed: a message goes to terminals, logs, run.json and the report.
        texts = (headline, expected, remedy)
        shown = texts if self.is_of_machine else map(with_addresses, texts)
        self.headline, self.expected, self.remedy = (printable(text, limit=MESSAGE_LIMIT) for text in shown)
        super().__init__(self.headline)

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling calls the constructor: addresses of folders may be registered only in the receiving process.
        texts = {"expected": self.expected, "remedy": self.remedy}
        others = {name: value for name, value in vars(self).items() if name not in ("headline", *texts)}
        return partial(type(self), self.headline, **texts), (), others

    def __str__(self) -> str:
        labelled = (("expected:", self.expected), ("remedy:", self.remedy))
        return "\n".join([self.headline, *(f"  {label:<10}{text}" for label, text in labelled if text)])

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook displays: as on the command line, a traceback only for an internal error."""
        if self.exit_code == ExitCode.INTERNAL_ERROR:
            return traceback.format_exception(self)
        return [f"{type(self).__name__}: {self}"]


class ConfigError(JobError):
    """The configuration or the command line is invalid."""

    exit_code = ExitCode.USAGE

    @classmethod
    def at(cls, where: str, problem: str, *, expected: str = "", remedy: str = "correct it") -> Self:
        """Return the error for a value at a place, such as a line of a file or a command-line option."""
        return cls(f"{where}: {problem}", expected=expected, remedy=remedy)

    @classmethod
    def not_writable(
        cls, folder: object, error: OSError, *, remedy: str = "name another folder, or give the job permission"
    ) -> Self:
        """Return the error for a folder that the operating system does not let the job write to."""
        problem = f"cannot write to {folder}: {error.strerror or error}"
        return cls(problem, expected="a folder that the job may write to", remedy=remedy)


class DataError(JobError):
    """The data is missing, malformed, or does not fit its use."""

    exit_code = ExitCode.BAD_DATA


class IntegrityError(DataError):
    """A sealed artifact differs from its manifest."""


class StorageError(JobError):
    """The disk is full. A batch runner may retry, later or on another machine."""

    is_of_machine = True
    folder: Path | None = None
    """A folder on the disk, if it is known."""


class ResourceError(JobError):
    """A required resource is missing or unreachable: a GPU, memory, the network. A batch runner should retry."""

    exit_code = ExitCode.MISSING_RESOURCE
    is_of_machine = True


class TerminationError(JobError):
    """The job was interrupted, by SIGTERM or from the keyboard."""

    exit_code = ExitCode.TERMINATED

    def on_this_machine(self) -> "TerminationError":
        """Return the error if other machines cannot continue from the progress that was saved."""
        return TerminationError(
            self.headline.replace(SAVED, f"{SAVED} in the cache of this machine"),
            remedy="run the same command again on this machine to continue from there",
        )


def first_validation_error(error: ValidationError) -> str:
    """Return the first mistake that pydantic found in a file of JSON, such as `steps.0.seconds is missing`."""
    first = error.errors(include_url=False, include_input=False)[0]
    location = ".".join(map(str, first["loc"]))
    match first["type"]:
        case "json_invalid":
            return "it is not JSON"
        case "value_error":  # the text of our own validator
            problem = str(first["msg"]).removeprefix("Value error, ")
            return f"{location}: {problem}" if location else problem
        case "missing":
            return f"{location} is missing"
        case "extra_forbidden":
            return f"{location} is not a known field"
        case _:
            return f"{location or 'its content'} is invalid"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    try:
        text = str(error)
    except Exception:  # of an error class of a user's module
        text = ""
    return next(iter(text.strip().splitlines()), type(error).__name__)


GENERATED = ("<", "__autograph_generated_file")
"""Beginnings of file names of code that Python or TensorFlow made."""


def user_line(error: BaseException) -> str:
    """Return the last line of the user's own code in a traceback, as ` (my_steps.py, line 7)`, or an empty text.

    >>> user_line(ValueError())
    ''
    """
    import sysconfig

    packages = [Path(__file__).parents[1], Path(__file__).parents[2] / "job", Path(sysconfig.get_path("stdlib"))]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        installed = "site-packages" in file.parts or any(file.is_relative_to(package) for package in packages)
        if not installed and not file.name.startswith(GENERATED):
            return f" ({file.name}, line {frame.lineno})"
    return ""


def one_line(error: BaseException) -> str:
    """Return an unexpected error in one line: its type and the first line of its message.

    >>> one_line(ValueError("not a number\\nat all"))
    'ValueError: not a number'
    """
    return f"{type(error).__name__}: {first_line(error)}"

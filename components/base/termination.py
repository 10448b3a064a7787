"""Termination: the interface through which a component checks whether the job must stop."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from components.base.errors import TerminationError


class Interrupted(BaseException):
    """Raised by a signal handler. Not an Exception, so that no component's `except Exception` catches it."""

    def __init__(self, error: TerminationError) -> None:
        super().__init__(error.headline)
        self.error = error


class Paused(Exception):  # noqa: N818  (not an error)
    """Raised by a component that saved its progress because `Context.should_pause` returned True."""


class Termination(Protocol):
    """Request to stop the job, as after SIGTERM."""

    @property
    def requested(self) -> bool:
        """Whether the job must stop."""

    def check(self) -> None:
        """Raise TerminationError if the job must stop. Call it between units of work."""

    def deferred(self) -> AbstractContextManager[None]:
        """Return a context manager within which the component has time to save its progress after the request.

        Outside it, the job interrupts work that continues for seconds. Inside it, check `requested` often.
        """


class NoTermination:
    """Termination that is never requested, for tests and for use as a library."""

    requested = False

    def check(self) -> None: ...

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

"""Termination: the interface through which a component checks whether the job must stop."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Termination(Protocol):
    """Request to stop the job, as after SIGTERM."""

    @property
    def requested(self) -> bool:
        """Whether the job must stop."""

    def check(self) -> None:
        """Raise an error if the job must stop. Call it between units of work.

        Raises:
            TerminationError: if the job must stop.
        """

    def deferred(self) -> AbstractContextManager[None]:
        """Return a context manager within which the job does not interrupt the component.

        Outside it, the job interrupts work that continues for seconds after the request. Inside it, the component has
        time to save its progress, and must check `requested` often.
        """


class NoTermination:
    """Termination that is never requested, for tests and for use as a library."""

    requested = False

    def check(self) -> None: ...

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

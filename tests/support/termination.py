"""A Termination that tests request after some checks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from components.base.errors import TerminationError


class TerminationAfter:
    """Termination that is requested after a number of checks.

    Args:
        checks: how often `requested` is False.
    """

    def __init__(self, checks: int) -> None:
        self.checks = checks

    @property
    def requested(self) -> bool:
        self.checks -= 1
        return self.checks < 0

    def check(self) -> None:
        if self.requested:
            raise TerminationError("termination was requested")

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

"""A Termination that asks to end after a while."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from components.base.errors import TerminationError


class TerminationAfter:
    """Asks the job to end once it was asked so many times whether it does."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def requested(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def check(self) -> None:
        if self.requested:
            raise TerminationError("the job was asked to end")

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

"""How a component learns that the job was asked to end, without knowing by whom."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Termination(Protocol):
    """Tells a component at work whether the job was asked to end."""

    @property
    def requested(self) -> bool:
        """Whether it was."""

    def check(self) -> None:
        """Leave if it was; to be called between units of work.

        Raises:
            TerminationError: if the job was asked to end.
        """

    def deferred(self) -> AbstractContextManager[None]:
        """Return a block that only the component itself ends: it promises to look at `requested` often.

        Elsewhere, work that goes on for seconds after the job was asked to end is broken off
        where it is. In the block it has time to save its progress.
        """


class NoTermination:
    """Nobody asks: the null object for tests and for use as a library."""

    requested = False

    def check(self) -> None: ...

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

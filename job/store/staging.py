"""The folders of an attempt to produce an artifact."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Staging:
    """The folders of one attempt to produce an artifact."""

    slot: str
    files: Path
    """Becomes the sealed artifact; empty at the beginning. No other attempt writes to it, even if a run that lost its
    lock continues."""
    checkpoints: Path
    """Progress of earlier attempts, if it exists."""

    def checkpoint_saved(self) -> None:
        """Called after a checkpoint was saved; it is on the disk, which is all that a local root needs."""

    def flush_checkpoints(self, requested_for: Callable[[float], bool], *, hurry: bool = False) -> bool:  # noqa: ARG002
        """Called after an attempt that ended early: wait until other machines can continue from the last checkpoint.

        Return False if they cannot.

        Args:
            requested_for: returns whether the signal was received at least this many seconds ago, which ends the wait.
            hurry: whether the store may not respond, so that an upload without progress is not waited for as long.
        """
        return True

    def discard_checkpoints(self) -> None:
        """Delete the checkpoints: the artifact is sealed, or what they come from has changed."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

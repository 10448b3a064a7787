"""When a training is saved: after so much time or so many steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from components.trainer.checkpoint import Checkpoints, NoCheckpoints

if TYPE_CHECKING:
    from components.base.component import Context
    from components.trainer.checkpoint import Arrays, Checkpoint
    from components.trainer.config import CheckpointConfig


class CheckpointPolicy:
    """Writes the checkpoints of one training, and knows when the next one is due.

    Args:
        config: how often.
        context: where they are kept, if there is a place, and who is told of damaged ones.

    Attributes:
        steps_since: training steps since the last one; for whoever trains to count.
    """

    def __init__(self, config: CheckpointConfig, context: Context) -> None:
        self.config = config
        self.progress = context.progress
        self.checkpoints = (
            NoCheckpoints()
            if context.checkpoints is None
            else Checkpoints(context.checkpoints, guard=context.fingerprint)
        )
        self.steps_since = 0
        self._saved_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        seconds, steps = self.config.every_seconds, self.config.every_steps
        return 0 < seconds <= time.monotonic() - self._saved_at or 0 < steps <= self.steps_since

    def newest(self) -> tuple[Checkpoint, Arrays] | None:
        """Return the newest one that is whole and of this training, or None if there is none."""
        return self.checkpoints.newest(self.progress)

    def save(self, record: Checkpoint, arrays: Arrays) -> None:
        """Write one.

        Raises:
            StorageError: if there is no space for it.
            IntegrityError: if what was written does not read back.
        """
        self.checkpoints.write(record, arrays)
        self.steps_since, self._saved_at = 0, time.monotonic()

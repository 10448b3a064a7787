"""Checkpoint policy: how much time or how many steps pass between two checkpoints."""

from __future__ import annotations

import time

from components.trainer.config import CheckpointConfig


class CheckpointPolicy:
    """Decides when the next checkpoint is due.

    Attributes:
        steps_since: training steps since the last checkpoint; the training loop counts them.
    """

    def __init__(self, config: CheckpointConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Start again from zero; called after each checkpoint."""
        self.steps_since = 0
        self._saved_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the configured time or number of steps has passed."""
        seconds, steps = self.config.every_seconds, self.config.every_steps
        return 0 < seconds <= time.monotonic() - self._saved_at or 0 < steps <= self.steps_since

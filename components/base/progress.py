"""Progress: the interface through which a component reports what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from components.artifacts import Epoch


class Progress(Protocol):
    """Listener of a running component."""

    def message(self, text: str) -> None:
        """Called with one sentence for the user."""

    def warning(self, text: str) -> None:
        """Called with one sentence that the user should not miss."""

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:
        """Called when training resumes from a checkpoint.

        Args:
            epoch: the epoch that continues, from 1.
            step: training steps of it that are already done.
            history: the completed epochs, the first one first.
        """

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        """Called when an epoch begins.

        Args:
            epoch: its number, from 1.
            epochs: the maximum number of epochs.
            steps: training steps in this epoch.
        """

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        """Called during an epoch.

        Args:
            step: training steps done in this epoch.
            images: images processed in this epoch by this attempt.
            metrics: running training metrics of the epoch, such as `loss` and `accuracy`.
        """

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        """Called after an epoch, with its metrics on training and validation."""


class NoProgress:
    """Progress that ignores everything, for tests and for use as a library."""

    def message(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None: ...

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None: ...

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None: ...

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None: ...

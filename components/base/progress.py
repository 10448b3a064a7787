"""Progress: the interface through which a component reports what it does."""

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
        """Called when training resumes from a checkpoint, after `step` steps of `epoch`; epochs count from 1."""

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        """Called when an epoch of at most `epochs` begins, with the number of its training steps."""

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        """Called during an epoch, with the running training metrics, such as `loss` and `accuracy`.

        Args:
            step: training steps done in this epoch.
            images: images processed in this epoch by this attempt.
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


NO_PROGRESS = NoProgress()

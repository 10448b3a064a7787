"""How a component tells that its work goes on, without knowing who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.artifacts import Epoch


class Progress(Protocol):
    """Listens to a component at work."""

    def message(self, text: str) -> None:
        """Hear one sentence that a person should read."""

    def warning(self, text: str) -> None:
        """Hear one sentence that a person should not miss."""

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:
        """Hear that training goes on where an earlier attempt ended: in `epoch` (from 1), after `step` steps of it.

        Args:
            epoch: the one that goes on.
            step: training steps of it that are done.
            history: how the epochs before it went, the first one first.
        """

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        """Hear that `epoch` of at most `epochs` (from 1) begins, with so many training steps."""

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        """Hear how far the epoch is.

        Args:
            step: training steps done in this epoch.
            images: images seen in this epoch, by this attempt.
            metrics: the epoch's running training metrics, such as `loss` and `accuracy`.
        """

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        """Hear that the epoch is done, with its metrics on training and validation."""


class NoProgress:
    """Listens to nothing: the null object for tests and for use as a library."""

    def message(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None: ...

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None: ...

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None: ...

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None: ...

"""How a component tells that its work goes on, without knowing who listens."""

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Listens to a component at work."""

    def message(self, text: str) -> None:
        """Hear one sentence that a person should read."""

    def training_step(
        self, *, epoch: int, epochs: int, step: int, steps: int, images: int, metrics: Mapping[str, float]
    ) -> None:
        """Hear that `step` of `steps` of `epoch` of `epochs` (all from 1) is done.

        Args:
            epoch: the epoch, from 1.
            epochs: how many epochs there are at most.
            step: batches done in this epoch.
            steps: batches in an epoch.
            images: images seen in this epoch.
            metrics: the epoch's running training metrics, such as `loss` and `accuracy`.
        """

    def epoch_end(self, *, epoch: int, epochs: int, images: int, metrics: Mapping[str, float]) -> None:
        """Hear that an epoch is done, with its `images` seen and its final metrics."""


class NoProgress:
    """Listens to nothing: the null object for tests and for use as a library."""

    def message(self, text: str) -> None: ...

    def training_step(
        self, *, epoch: int, epochs: int, step: int, steps: int, images: int, metrics: Mapping[str, float]
    ) -> None: ...

    def epoch_end(self, *, epoch: int, epochs: int, images: int, metrics: Mapping[str, float]) -> None: ...

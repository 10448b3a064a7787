"""Early stopping that can be put down and taken up again: the best epoch so far, and its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from components.artifacts import Statement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import Epoch

Monitor = Literal["val_loss", "val_accuracy", "epoch"]


class BestEpoch(Statement):
    """The best epoch so far; epoch 0 before there is one."""

    epoch: int = 0
    value: float | None = None
    """What it reached in the metric that is monitored."""
    waited: int = 0
    """Epochs since then."""


class EarlyStopping:
    """Stops a training that no longer gets better, and remembers the weights of its best epoch.

    It does what Keras's callback of that name does with `restore_best_weights`, but its state
    can be read and set, so that a training can be resumed.

    Args:
        monitor: less is better of `val_loss`, more of `val_accuracy`; of `epoch` the last is best, and nothing stops.
        patience: stop after so many epochs in a row that were not better.
    """

    def __init__(self, monitor: Monitor, *, patience: int) -> None:
        self.monitor: Monitor = monitor
        self.patience = patience
        self.best = BestEpoch()
        self.weights: list[NDArray[np.generic]] = []
        """Of the best epoch, in the order of `network.weights`."""

    def epoch_end(self, row: Epoch, network: Any) -> None:
        """Hear how an epoch went, with the network as it is after it."""
        value: float = getattr(row, self.monitor)
        if self.best.value is None or self._better(value, self.best.value):
            self.best = BestEpoch(epoch=row.epoch, value=value)
            self.weights = network.get_weights()
        else:
            self.best = self.best.model_copy(update={"waited": self.best.waited + 1})

    @property
    def should_stop(self) -> bool:
        """Whether patience is at an end."""
        return self.best.waited >= max(self.patience, 1)

    def _better(self, value: float, than: float) -> bool:
        return value < than if self.monitor == "val_loss" else value > than

"""Early stopping whose state a checkpoint can store: the best epoch so far and its weights."""

from typing import Any, Literal

from components.artifacts import Epoch, Statement

Monitor = Literal["val_loss", "val_accuracy", "epoch"]


class BestEpoch(Statement):
    """The best epoch so far; epoch 0 before the first one ends."""

    epoch: int = 0
    value: float | None = None
    """The value of the monitored metric."""
    waited: int = 0
    """Epochs since then."""


class EarlyStopping:
    """Decides when training no longer improves, and keeps the weights of the best epoch.

    Works like Keras's callback of the same name with `restore_best_weights`, but a checkpoint can store its state.
    With the monitor `epoch` the last epoch is the best, and training never stops early.
    """

    def __init__(self, monitor: Monitor, *, patience: int) -> None:
        self.monitor: Monitor = monitor
        self.patience = patience
        self.best = BestEpoch()
        self.weights: list[Any] = []  # NumPy arrays, in the order of `network.weights`

    def update(self, row: Epoch, network: Any) -> None:
        """Compare the epoch that just ended with the best one; `network` has its weights."""
        value: float = getattr(row, self.monitor)
        best = self.best.value
        if best is None or (value < best if self.monitor == "val_loss" else value > best):
            self.best = BestEpoch(epoch=row.epoch, value=value)
            self.weights = network.get_weights()
        else:
            self.best = self.best.model_copy(update={"waited": self.best.waited + 1})

    @property
    def should_stop(self) -> bool:
        """Whether the last `patience` epochs were no better than the best one."""
        return self.best.waited >= max(self.patience, 1)

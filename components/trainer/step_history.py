"""Step history: loss and accuracy of small groups of training steps, for a learning curve within an epoch."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DECIMALS = 5
"""Means are float32, over all images of an epoch so far."""
COLUMNS = ("epoch", "step", "images", "loss", "accuracy")
"""Epoch; steps, over all epochs, at the end of the group; images of the group; their means."""


class StepHistory:
    """The running means of each epoch at the end of each group of steps.

    Args:
        steps: steps of an epoch.
        batch_size: images of each step but the last of an epoch.
        images: images of an epoch.
    """

    def __init__(self, *, steps: int, batch_size: int, images: int) -> None:
        self.steps = steps
        self.batch_size = batch_size
        self.images = images
        self._rows: list[tuple[float, float, float, float]] = []  # epoch, step of it, mean loss and accuracy so far

    def record(self, *, epoch: int, step: int, loss: float, accuracy: float) -> None:
        """Add the means over the first `step` steps of an epoch."""
        self._rows.append((epoch, step, loss, accuracy))

    @property
    def state(self) -> NDArray[Any]:
        """The recorded means, float64 [groups, 4], for a checkpoint."""
        return np.array(self._rows, np.float64).reshape(-1, 4)

    @state.setter
    def state(self, rows: NDArray[Any]) -> None:
        self._rows = [(epoch, step, loss, accuracy) for epoch, step, loss, accuracy in rows.tolist()]

    def write(self, path: Path) -> None:
        """Write a CSV file with one row per group: `COLUMNS`."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            ended = None  # epoch, images and sums at the end of the previous group
            for number, step, loss, accuracy in self._rows:
                epoch, images = int(number), min(int(step) * self.batch_size, self.images)
                sums = np.array([images, loss * images, round(accuracy * images)])
                count, *sums_of_group = sums - ended[1] if ended and ended[0] == epoch else sums
                means = [round(value / count, DECIMALS) for value in sums_of_group]
                writer.writerow([epoch, (epoch - 1) * self.steps + int(step), int(count), *means])
                ended = epoch, sums

"""Learning curves: loss and accuracy by epoch, or by training step if there are only a few epochs."""

from dataclasses import dataclass

import pandas as pd

from components.artifacts import Model, Stored

MAX_EPOCHS_BY_STEP = 5
"""With more epochs, learning curves are drawn by epoch."""


@dataclass(frozen=True)
class LearningCurve:
    """One metric over the epochs or the training steps, on the training and the validation split."""

    title: str
    x_name: str
    x: tuple[int, ...]
    """Epochs, or numbers of training steps over all epochs."""
    training: tuple[float, ...]
    validation: tuple[float | None, ...]
    """None where the model was not validated."""
    best: int
    """The epoch or step whose weights the model has."""

    @property
    def validated(self) -> tuple[tuple[int, float], ...]:
        """The points of `validation`."""
        return tuple((x, value) for x, value in zip(self.x, self.validation, strict=True) if value is not None)


def read_steps(model: Stored[Model]) -> pd.DataFrame | None:
    """Return loss and accuracy of each group of training steps; None if they were not recorded."""
    file = model.artifact.steps_file
    return None if file is None else pd.read_csv(model.directory / file)


def learning_curves(model: Model, steps: pd.DataFrame | None = None) -> list[LearningCurve]:
    """Return the curves of the loss and of the accuracy: by training step if there are only a few epochs.

    `steps` has one row per group of training steps (`Model.steps_file`).
    """
    metrics = (("Loss", "loss"), ("Accuracy", "accuracy"))
    if steps is None or len(model.history) > MAX_EPOCHS_BY_STEP:
        return [
            LearningCurve(
                title,
                x_name="epoch",
                x=tuple(row.epoch for row in model.history),
                training=tuple(getattr(row, metric) for row in model.history),
                validation=tuple(getattr(row, f"val_{metric}") for row in model.history),
                best=model.best_epoch,
            )
            for title, metric in metrics
        ]
    last_steps = steps.groupby("epoch")["step"].max().to_dict()
    epochs = {last_steps[row.epoch]: row for row in model.history}
    return [
        LearningCurve(
            title,
            x_name="training step",
            x=tuple(steps["step"].tolist()),
            training=tuple(steps[metric].tolist()),
            validation=tuple(getattr(epochs.get(step), f"val_{metric}", None) for step in steps["step"].tolist()),
            best=last_steps[model.best_epoch],
        )
        for title, metric in metrics
    ]

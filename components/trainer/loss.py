"""Losses of Keras that training can minimize in place of cross-entropy."""

from typing import ClassVar, Literal

from components.trainer.keras_class import KerasClass


class LossConfig(KerasClass):
    """A loss of Keras with its own options, such as `{kind: CategoricalFocalCrossentropy, gamma: 2.0}`.

    It compares one-hot labels with probabilities.
    """

    package: ClassVar[str] = "losses"
    reserved: ClassVar[frozenset[str]] = frozenset({"from_logits", "axis", "reduction", "name", "dtype"})

    kind: Literal[
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "CategoricalHinge",
        "Huber",
        "KLDivergence",
        "LogCosh",
        "MeanAbsoluteError",
        "MeanSquaredError",
        "Poisson",
    ]
    """The name of the class in keras.losses."""

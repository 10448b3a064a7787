"""Adam, with what may be chosen of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from components.base.component import ComponentConfig

Decay = Annotated[float, Field(strict=True, ge=0, lt=1)]
UNDECAYED = ("bias", "gamma", "beta")
"""Names of the variables that only shift or scale a layer's output: pulling them to zero would not make it simpler."""


class AdamConfig(ComponentConfig):
    """Adam (D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", 2015).

    With `weight_decay` it is AdamW (I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", 2019).
    """

    beta_1: Decay = 0.9
    """How much of the gradients' running mean stays at each step."""
    beta_2: Decay = 0.999
    """The same of the running mean of their squares; a short training wants less."""
    weight_decay: Decay = 0.0
    """At each step the kernels lose this share of themselves times the learning rate; biases, and the scales and
    offsets of batch normalization, do not."""

    def build(self, learning_rate: Any) -> Any:
        """Return the keras optimizer, for a rate or a schedule."""
        import keras

        decay = self.weight_decay or None  # not 0, for which Keras would add the operations of a decay
        optimizer = keras.optimizers.Adam(learning_rate, beta_1=self.beta_1, beta_2=self.beta_2, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=UNDECAYED)
        return optimizer

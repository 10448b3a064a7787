"""The optimizer: Adam, or AdamW where weights decay."""

from typing import Annotated, Any

from pydantic import Field

from components.base.component import ComponentConfig

Decay = Annotated[float, Field(strict=True, ge=0, lt=1)]
VARIABLES_WITHOUT_DECAY = ("bias", "gamma", "beta")
"""Variables that only shift or scale a layer's output: moving them towards zero would not make the layer simpler."""


class AdamConfig(ComponentConfig):
    """Adam (D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", 2015).

    With `weight_decay` it is AdamW (I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", 2019).
    """

    beta_1: Decay = 0.9
    """Decay of the gradients' running mean at each step."""
    beta_2: Decay = 0.999
    """Decay of the running mean of the squared gradients; short trainings need a smaller value."""
    weight_decay: Decay = 0.0
    """At each step, kernels shrink by this fraction times the learning rate. Biases, and the scales and offsets of
    batch normalization, do not."""

    def build(self, learning_rate: Any) -> Any:
        """Return the keras optimizer for a rate or a schedule."""
        import keras

        decay = self.weight_decay or None  # with 0, Keras would add the operations of a decay
        optimizer = keras.optimizers.Adam(learning_rate, beta_1=self.beta_1, beta_2=self.beta_2, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=VARIABLES_WITHOUT_DECAY)
        return optimizer

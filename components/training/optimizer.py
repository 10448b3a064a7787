"""Adam, with what may be chosen of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from components.component import ComponentConfig

Decay = Annotated[float, Field(strict=True, ge=0, lt=1)]


class AdamConfig(ComponentConfig):
    """Adam (D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", 2015)."""

    beta_1: Decay = 0.9
    """How much of the gradients' running mean stays at each step."""
    beta_2: Decay = 0.999
    """The same of the running mean of their squares; a short training wants less."""

    def build(self, learning_rate: Any) -> Any:
        """Return the keras optimizer, for a rate or a schedule."""
        import keras

        return keras.optimizers.Adam(learning_rate, beta_1=self.beta_1, beta_2=self.beta_2)

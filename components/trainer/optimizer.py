"""Optimizers of Keras: Adam by default, or another one by its name and options."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from components.trainer.keras_class import KerasClass

Decay = Annotated[float, Field(strict=True, ge=0, lt=1)]
VARIABLES_WITHOUT_DECAY = ("bias", "gamma", "beta")
"""Variables that only shift or scale a layer's output: moving them towards zero would not make the layer simpler."""


class KerasOptimizer(KerasClass):
    """Base of the optimizers. Weight decay excludes biases, and the scales and offsets of normalizations."""

    package: ClassVar[str] = "optimizers"
    # A moving average (EMA) would replace the weights at the end of every epoch.
    reserved: ClassVar[frozenset[str]] = frozenset(
        {"learning_rate", "name", "use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"}
    )

    def build(self, learning_rate: Any) -> Any:
        """Return the keras optimizer for a rate or a schedule; raise ConfigError if Keras rejects an option."""
        optimizer = self.create(learning_rate=learning_rate)
        optimizer.exclude_from_weight_decay(var_names=VARIABLES_WITHOUT_DECAY)
        return optimizer


class AdamConfig(KerasOptimizer):
    """Adam (D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", 2015).

    With `weight_decay` it is AdamW (I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", 2019).
    """

    kind: Literal["Adam"] = "Adam"
    """The name of the class."""
    beta_1: Decay = 0.9
    """Decay of the gradients' running mean at each step."""
    beta_2: Decay = 0.999
    """Decay of the running mean of the squared gradients; short trainings need a smaller value."""
    weight_decay: Decay = 0.0
    """At each step, kernels shrink by this fraction times the learning rate. Biases, and the scales and offsets of
    batch normalization, do not."""

    def create(self, **arguments: Any) -> Any:
        # With a decay of 0, Keras would add the operations of a decay.
        return super().create(**arguments, weight_decay=self.weight_decay or None)


class OtherOptimizer(KerasOptimizer):
    """Another optimizer of Keras with its own options, such as `{kind: SGD, momentum: 0.9, nesterov: true}`."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    # Those that take one learning-rate schedule, and whose weights are the same in training and in validation.
    kind: Literal[
        "Adadelta", "Adafactor", "Adagrad", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam", "RMSprop", "SGD"
    ]
    """The name of the class in keras.optimizers."""


Optimizer = Annotated[AdamConfig | OtherOptimizer, Field(discriminator="kind")]

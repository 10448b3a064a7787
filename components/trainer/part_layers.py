"""Layers that compute on the part of a batch of each replica as on the whole batch."""

from typing import Any

import keras
import tensorflow as tf

from components.trainer.batch_part import current_part


def part_layer(layer: Any) -> Any:
    """Return a new layer, without the weights of this one, that computes on a part as on the whole batch."""
    config = layer.get_config()
    if type(layer) is keras.layers.TimeDistributed:
        del config["layer"]
        return keras.layers.TimeDistributed(part_layer(layer.layer), **config)
    if type(layer) is keras.layers.BatchNormalization:
        config["synchronized"] = True
    return PART_LAYERS.get(type(layer), type(layer)).from_config(config)


class PartNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Synchronized batch normalization that leaves out an image with weight 0."""

    def _moments(self, inputs: Any, mask: Any) -> Any:
        part = current_part()
        return super()._moments(inputs if part is None or mask is not None else part.own(inputs), mask)


class _RandomFactors:
    """Mixin of layers that multiply values by random numbers: a part by those of its rows in the whole batch."""

    _neutral = staticmethod(tf.ones)
    _combine = staticmethod(tf.multiply)

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras's own signature)
        part = current_part()
        if part is None or not training:
            return super().call(inputs, training=training)  # type: ignore[misc]
        rows = part.rows_per_image(inputs)
        batch = self._neutral((part.count * rows, *tf.unstack(tf.shape(inputs))[1:]), inputs.dtype)
        noise = super().call(batch, training=True)  # type: ignore[misc]
        return self._combine(inputs, part.take(noise, rows_per_image=rows))


class _RandomSummands(_RandomFactors):
    _neutral = staticmethod(tf.zeros)
    _combine = staticmethod(tf.add)


def _random(layer: Any, mixin: type = _RandomFactors) -> Any:
    return type(f"Part{layer.__name__}", (mixin, layer), {})


PART_LAYERS: dict[Any, Any] = {
    keras.layers.BatchNormalization: PartNormalization,
    keras.layers.Dropout: _random(keras.layers.Dropout),
    keras.layers.GaussianDropout: _random(keras.layers.GaussianDropout),
    keras.layers.GaussianNoise: _random(keras.layers.GaussianNoise, _RandomSummands),
    keras.layers.SpatialDropout1D: _random(keras.layers.SpatialDropout1D),
    keras.layers.SpatialDropout2D: _random(keras.layers.SpatialDropout2D),
    keras.layers.SpatialDropout3D: _random(keras.layers.SpatialDropout3D),
}
"""The classes of layers that `part_layer` replaces."""

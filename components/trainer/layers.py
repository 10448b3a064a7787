"""The layers of a network, as the Model artifact lists them."""

from collections.abc import Iterator
from typing import Any

from components.artifacts import Layer


def named_layers(network: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the layers of a Keras network in order, by name; of nested ones, as `body/convolution_1`."""
    import keras

    for layer in network.layers:
        name = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from named_layers(layer, f"{name}/")
        else:
            yield name, layer


def describe_layers(network: Any) -> tuple[Layer, ...]:
    """Return the layers of a built Keras network in order, also those of nested networks, without inputs."""
    import keras

    return tuple(
        Layer(name=name, kind=type(layer).__name__, output_shape=_output_shape(layer), parameters=layer.count_params())
        for name, layer in named_layers(network)
        if not isinstance(layer, keras.layers.InputLayer)
    )


def _output_shape(layer: Any) -> tuple[int | None, ...]:
    """Return the shape of the first output, without the batch; empty if the layer does not state it."""
    import keras

    try:
        outputs = keras.tree.flatten(layer.output)
    except AttributeError:  # the layer of a network that computes in Python code
        return ()
    return tuple(outputs[0].shape[1:])

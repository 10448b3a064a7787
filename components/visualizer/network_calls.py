"""Observed calls of a network: each operation of a prediction, in order, also in nested networks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

Observer = Callable[[Any, list[Any], Any], None]
"""Called with a Keras operation, the tensors that it takes, and the tensor that it returns."""


def observe_calls(network: Any, images: Any, observer: Observer) -> Any:
    """Return the network's predictions, and call `observer` after each layer or other operation, such as `+`.

    A layer that a network uses several times is observed each time; a nested network is not, but its layers are.
    Images are a float32 tensor, which is the first input that the observer receives.
    """
    with ExitStack() as observed:
        for operation in {id(each): each for each in operations(network)}.values():
            observed.enter_context(_observed(operation, observer))
        return network(images, training=False)


def operations(network: Any) -> Iterator[Any]:
    """Yield the layers and other operations of a network, those of nested networks included."""
    import keras

    # `layers` of a functional model has no operations that are not layers.
    for operation in network.layers if isinstance(network, keras.Sequential) else network.operations:
        if isinstance(operation, keras.Model):
            yield from operations(operation)
        else:
            yield operation


@contextmanager
def _observed(operation: Any, observer: Observer) -> Iterator[None]:
    import keras

    call = operation.call

    def call_observed(*args: Any, **kwargs: Any) -> Any:
        output = call(*args, **kwargs)
        observer(
            operation, [value for value in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(value)], output
        )
        return output

    operation.call = call_observed
    try:
        yield
    finally:
        del operation.call

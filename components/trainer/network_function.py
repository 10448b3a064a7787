"""Custom network: a function that builds it, named by `trainer.network.use`."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components.base.errors import ConfigError
from components.base.extension import Extension

MAX_BUILDS = 4
"""Maximum number of builds until two are equal. More than two are needed only if another thread, such as that of a
tracking client, draws from Python's global generator during a build: Keras draws missing seeds from it."""


class NetworkFunction(Extension):
    """A custom network: a function that builds it, and its options.

    It returns a keras.Sequential or a functional keras.Model of Keras's own layers, from float32 images [batch, height,
    width, channels] to float32 probabilities [batch, classes].
    """

    arguments = ("image_shape", "classes", "seed")
    returns = "keras.Model"

    def build(self, *, image_shape: tuple[int, int, int], classes: int, seed: int) -> Any:
        """Return the function's network, built; equal arguments give equal networks.

        Layers without a name are numbered from the beginning, and initializers and dropout without a seed get one that
        depends on `seed`.

        Raises:
            ConfigError: if the network is of another kind, for other images or classes, or if its weights or the seeds
                of its layers differ each time that it is built.
        """
        from components.trainer.network import variables_digest

        digests, structures = set[str](), set[tuple[Any, ...]]()
        for _ in range(MAX_BUILDS):
            network = self._build(image_shape=image_shape, classes=classes, seed=seed)
            structures.add(tuple((each.path, each.dtype, tuple(each.shape)) for each in network.variables))
            if len(structures) > 1:  # no draw of another thread changes those
                break
            # With the seeds of dropout: they are variables, but not weights.
            if (digest := variables_digest(network.variables)) in digests:
                return network
            digests.add(digest)
        problem = f"{self.use} returned other weights or seeds each time that it was called with the same seed"
        remedy = "derive everything random from `seed`, such as seed=seed in an initializer"
        raise ConfigError(problem, expected="the same weights for the same seed", remedy=remedy)

    def _build(self, *, image_shape: tuple[int, int, int], classes: int, seed: int) -> Any:
        import keras

        from components.trainer.export.keras_config import foreign_classes

        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(seed)
        with _without_traceback_filtering():
            network = self(image_shape=image_shape, classes=classes, seed=seed)
        if not isinstance(network, keras.Model):
            raise self.error(f"returned {_kind(network)}, not a keras.Model")
        if isinstance(network, keras.Sequential):
            if not network.built:
                network.build((None, *image_shape))
        elif not hasattr(network, "operations"):
            raise self.error(f"returned {_kind(network)}, which is neither a keras.Sequential nor functional")
        for end, tensors, shape in (("input", network.inputs, image_shape), ("output", network.outputs, (classes,))):
            if (found := [tuple(each.shape) for each in tensors]) != [(None, *shape)]:
                expected = f"one {end} of shape {(None, *shape)}"
                raise self.error(f"returned a network whose {end}s have the shapes {found}, not {expected}")
        with warnings.catch_warnings(action="ignore"):  # Keras's own, about a lambda
            foreign = foreign_classes(keras.saving.serialize_keras_object(network))
        if foreign:
            names = ", ".join(sorted(foreign))
            raise self.error(f"returned a network with {names}: exported models contain Keras's own layers only")
        if isinstance(network, keras.Sequential):
            return network
        # A functional model takes and returns what it is built from, which may be lists.
        return keras.Model(network.inputs[0], network.outputs[0], name=network.name)


@contextmanager
def _without_traceback_filtering() -> Iterator[None]:
    """Let Keras raise the error of a layer itself, not one whose first line only names the layer's method."""
    import keras

    is_enabled = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if is_enabled:
            keras.config.enable_traceback_filtering()


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")

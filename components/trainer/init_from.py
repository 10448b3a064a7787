"""Fine-tuning: initial weights from a trained model, and layers whose weights stay as they are."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import Any

from components.artifacts import InitialWeights, Model, Stored
from components.base.errors import ConfigError
from components.base.progress import Progress
from components.inference.predictor import load_network
from components.inference.split_images import SplitImages
from components.trainer.config import TrainerConfig
from components.trainer.layers import named_layers
from components.trainer.network import NetworkConfig
from components.trainer.whitening import WHITENED_LAYER, whiten

MAX_NAMES_SHOWN = 20


def prepare_weights(
    network: Any,
    config: TrainerConfig,
    model: Stored[Model] | None,
    train: SplitImages,
    class_names: Sequence[str],
    progress: Progress,
) -> tuple[InitialWeights | None, tuple[str, ...]]:
    """Compute whitening filters, load initial weights and freeze layers, as configured.

    Returns:
        The initial weights and the names of the frozen layers, as the Model artifact states them.
    """
    initial_weights: InitialWeights | None = None
    whitened: tuple[str, ...] = ()
    if config.init_from is not None or model is not None:
        initial_weights = load_initial_weights(network, model, class_names=class_names)
        progress.message(f"initial weights: {initial_weights.describe()}")
    if isinstance(config.network, NetworkConfig) and config.network.whitening:
        whitened = (WHITENED_LAYER,)
        if not (initial_weights and WHITENED_LAYER in initial_weights.loaded):
            whiten(network, train, crop=config.network.crop)
    frozen = freeze_layers(network, (*whitened, *config.freeze))
    not_loaded = {*initial_weights.not_loaded} - {*whitened} if initial_weights else {}
    if at_random := [name for name in frozen if name in not_loaded]:
        progress.warning(f"trainer.freeze keeps the random weights of {', '.join(at_random)}")
    return initial_weights, frozen


def load_initial_weights(network: Any, model: Stored[Model] | None, *, class_names: Sequence[str]) -> InitialWeights:
    """Copy the weights of each layer that a trained model also has, by the layer's name and the shapes of its weights.

    The output layer is only copied if the classes are the same.

    Raises:
        ConfigError: if there is no model, it is not a Keras network, or no layer matches.
    """
    if model is None:
        raise ConfigError(
            "trainer.init_from is latest-blessed, but there is no blessed model of other training images",
            expected="a blessed model in the same root",
            remedy="name a run or a path, or remove trainer.init_from",
        )
    if model.artifact.format != "keras":
        raise ConfigError(
            f"trainer.init_from is {model.directory}, a model of the format {model.artifact.format}",
            expected="a model of the format keras",
            remedy="name another run or model",
        )
    layers, trained = weighted_layers(network), weighted_layers(load_network(model))
    output_layer = list(layers)[-1]
    loaded, not_loaded = [], {}
    for name, layer in layers.items():
        if name not in trained:
            not_loaded[name] = "the model has no such layer"
        elif (here := _shapes(layer)) != (there := _shapes(trained[name])):
            not_loaded[name] = f"its weights have the shapes {there} in the model and {here} here"
        elif name == output_layer and tuple(class_names) != model.artifact.class_names:
            not_loaded[name] = "the model has other classes"
        else:
            layer.set_weights(trained[name].get_weights())
            loaded.append(name)
    if not loaded:
        name, why = next(iter(not_loaded.items()))
        raise ConfigError(
            f"no layer of the network matches trainer.init_from; for {name}, {why}",
            expected=f"layers with the names and shapes of {', '.join(list(trained)[:MAX_NAMES_SHOWN])}",
            remedy="name a model with the same architecture, or change trainer.network",
        )
    return InitialWeights(weights_sha256=model.artifact.weights_sha256, loaded=tuple(loaded), not_loaded=not_loaded)


def freeze_layers(network: Any, patterns: Sequence[str]) -> tuple[str, ...]:
    """Exclude the layers that patterns such as `convolution_*` match from training, and return their names.

    A pattern that matches a nested model freezes all its layers.

    Raises:
        ConfigError: if a pattern matches no layer, or nothing remains to train.
    """
    layers = weighted_layers(network)
    frozen = []
    for pattern in patterns:
        matching = [name for name in layers if any(fnmatchcase(path, pattern) for path in _with_parents(name))]
        if not matching:
            raise ConfigError(
                f"trainer.freeze: no layer with weights matches `{pattern}`",
                expected=f"a pattern of {', '.join(list(layers)[:MAX_NAMES_SHOWN])}",
                remedy="correct the pattern, or remove it",
            )
        frozen += matching
    for name in frozen:
        layers[name].trainable = False
    if not network.trainable_variables:
        raise ConfigError(
            "trainer.freeze leaves no layer to train",
            expected="patterns that do not match all layers",
            remedy="remove a pattern",
        )
    return tuple(name for name in layers if name in frozen)


def weighted_layers(network: Any) -> dict[str, Any]:
    """Return the layers that have weights, by name: `convolution_1`, and `body/convolution_1` in a nested model."""
    return {name: layer for name, layer in named_layers(network) if layer.weights}


def _with_parents(name: str) -> Iterator[str]:
    return accumulate(name.split("/"), "{}/{}".format)


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]

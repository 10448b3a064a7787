"""Fine-tuning: which layers begin with the weights of another model, and which are not trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from components import Context, Model, Stored, Trainer, TransformedExamples
from components.base.errors import ConfigError
from components.base.progress import NoProgress
from components.inference.predictor import load_network
from components.testing.contract import make_inputs
from components.trainer import init_from
from components.trainer.init_from import freeze_layers, load_initial_weights, weighted_layers
from components.trainer.network import NetworkConfig, build_network
from components.trainer.precision import with_precision

SIZES: dict[str, Any] = {"filters": (4, 4, 4), "dense": (8, 8), "dropout": 0.0, "batch_normalization": True}
CONVOLUTIONS = [f"{kind}_{number}" for number in (1, 2, 3) for kind in ("convolution", "normalization")]
LAYERS = [*CONVOLUTIONS, "dense_1", "dense_2", "probabilities"]
pytestmark = pytest.mark.thorough


class Recorder(NoProgress):
    """Records warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Stored[Any]]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


def train(output: Path, transformed: Stored[TransformedExamples], **options: Any) -> Stored[Model]:
    output.mkdir()
    init_from = options.pop("init_from", None)
    settings = {"network": SIZES, "epochs": 2, "batch_size": 16, "exports": [], **options}
    settings |= {} if init_from is None else {"init_from": "latest"}  # it is given, so the name does not count
    trainer = Trainer(Trainer.Config.model_validate(settings))
    return Stored(trainer.run(Context(output=output), transformed=transformed, init_from=init_from), output)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, inputs: dict[Any, Stored[Any]]) -> Stored[Model]:
    return train(tmp_path_factory.mktemp("model") / "output", inputs[TransformedExamples])


def network(*, image_shape: tuple[int, int, int], classes: int, seed: int = 5, **sizes: Any) -> Any:
    config = NetworkConfig.model_validate(SIZES | sizes)
    return build_network(config, image_shape=image_shape, classes=classes, seed=seed)


def same_weights(one: Any, other: Any) -> list[str]:
    """Return the layers whose weights are equal in two networks."""
    others = weighted_layers(other)
    return [
        name
        for name, layer in weighted_layers(one).items()
        if all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), others[name].get_weights(), strict=True))
    ]


def test_all_layers_of_an_equal_network_are_loaded(model: Stored[Model]) -> None:
    statement = model.artifact
    built = network(image_shape=statement.image_shape, classes=len(statement.class_names))
    initial = load_initial_weights(built, model, class_names=statement.class_names)
    assert list(initial.loaded) == LAYERS == same_weights(built, load_network(model))
    assert not initial.not_loaded
    assert initial.describe() == f"{', '.join(LAYERS)} as in the model {statement.weights_sha256[:12]}"


def test_loaded_whitening_filters_are_not_computed(
    inputs: dict[Any, Stored[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"network": SIZES | {"whitening": True}, "epochs": 1}
    model = train(tmp_path / "model", inputs[TransformedExamples], **sizes)
    monkeypatch.delattr(init_from, "whiten")  # its error for these images must not prevent fine-tuning
    tuned = train(tmp_path / "tuned", inputs[TransformedExamples], init_from=model, **sizes)
    assert tuned.artifact.frozen == ("convolution_1",)
    assert "convolution_1" in same_weights(load_network(model), load_network(tuned))


def test_layers_of_other_shapes_and_classes_are_listed(model: Stored[Model]) -> None:
    height, width, _ = model.artifact.image_shape
    names = [f"new {name}" for name in model.artifact.class_names]
    built = network(image_shape=(height + 8, width + 8, 3), classes=len(names), dense=(8, 6))
    initial = load_initial_weights(built, model, class_names=names)
    assert list(initial.loaded) == CONVOLUTIONS[1:]
    assert list(initial.not_loaded) == ["convolution_1", "dense_1", "dense_2", "probabilities"]
    assert initial.not_loaded["convolution_1"] == (
        "its weights have the shapes [(3, 3, 1, 4)] in the model and [(3, 3, 3, 4)] here"
    )
    assert "; at random: convolution_1 (its weights have the shapes" in initial.describe()
    same_shape = network(image_shape=model.artifact.image_shape, classes=len(names))
    other = load_initial_weights(same_shape, model, class_names=names)
    assert other.not_loaded == {"probabilities": "the model has other classes"}


def test_model_without_a_matching_layer_is_an_error(model: Stored[Model], inputs: dict[Any, Stored[Any]]) -> None:
    statement = model.artifact
    built = network(image_shape=statement.image_shape, classes=2, filters=(5, 6, 7), dense=(9, 10))
    with pytest.raises(ConfigError, match=r"no layer of the network matches .*; for convolution_1, its"):
        load_initial_weights(built, model, class_names=("a", "b"))
    with pytest.raises(ConfigError, match="a model of the format linear"):
        load_initial_weights(built, inputs[Model], class_names=("a", "b"))


def test_frozen_layers_keep_the_initial_weights(
    model: Stored[Model], inputs: dict[Any, Stored[Any]], tmp_path: Path
) -> None:
    transformed = inputs[TransformedExamples]
    freeze = ["convolution_*", "normalization_*"]
    tuned = train(tmp_path / "tuned", transformed, freeze=freeze, init_from=model, seed=3)
    assert list(tuned.artifact.frozen) == CONVOLUTIONS
    assert tuned.artifact.initial_weights is not None
    assert tuned.artifact.initial_weights.weights_sha256 == model.artifact.weights_sha256
    assert same_weights(load_network(tuned), load_network(model)) == CONVOLUTIONS
    untouched = train(tmp_path / "new", transformed, init_from=model, seed=3)
    assert same_weights(load_network(untouched), load_network(model)) == []
    assert untouched.artifact.frozen == ()


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        (["body"], ["body/first", "body/inner/second"]),
        (["body/*"], ["body/first", "body/inner/second"]),
        (["*second", "body/first"], ["body/first", "body/inner/second"]),
        (["body/inner"], ["body/inner/second"]),
    ],
)
def test_patterns_match_nested_layers_and_models(patterns: list[str], frozen: list[str]) -> None:
    import keras

    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="second")], name="inner")
    body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="first"), inner], name="body")
    whole = keras.Sequential([keras.Input((4,)), body, keras.layers.Dense(2, name="head")])
    assert list(freeze_layers(whole, patterns)) == frozen
    trainable = [name for name, layer in weighted_layers(whole).items() if layer.trainable]
    assert trainable == [name for name in ("body/first", "body/inner/second", "head") if name not in frozen]


@pytest.mark.parametrize(
    ("patterns", "problem"),
    [(["dense_1", "relu_1"], "no layer with weights matches `relu_1`"), (["*"], "freeze leaves no layer to train")],
)
def test_pattern_without_effect_is_an_error(patterns: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        freeze_layers(network(image_shape=(16, 16, 1), classes=3), patterns)


def test_layers_with_random_weights_are_not_to_be_frozen(
    model: Stored[Model], inputs: dict[Any, Stored[Any]], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match="freeze needs init_from"):
        Trainer.Config(freeze=("convolution_1",))
    settings = {"network": SIZES | {"dense": (8, 6)}, "freeze": ["dense_1", "dense_2"], "init_from": "latest"}
    config = Trainer.Config.model_validate({**settings, "epochs": 1, "exports": []})
    recorder = Recorder()
    context = Context(output=tmp_path, progress=recorder)
    Trainer(config).run(context, transformed=inputs[TransformedExamples], init_from=model)
    assert recorder.warnings == ["trainer.freeze keeps the random weights of dense_2"]


def test_frozen_layers_stay_frozen_in_mixed_precision() -> None:
    built = network(image_shape=(16, 16, 1), classes=3)
    freeze_layers(built, CONVOLUTIONS)
    copy = with_precision(built, "mixed_bfloat16")
    assert [name for name, layer in weighted_layers(copy).items() if not layer.trainable] == CONVOLUTIONS


def test_latest_blessed_needs_a_model(inputs: dict[Any, Stored[Any]], tmp_path: Path) -> None:
    trainer = Trainer(Trainer.Config(init_from="latest-blessed"))
    assert trainer.references() == {"init_from": "latest-blessed"}
    assert "init_from" not in trainer.identity(), "the model that is found counts, not its name"
    with pytest.raises(ConfigError, match="latest-blessed, but there is no blessed model of other training images"):
        trainer.run(Context(output=tmp_path), transformed=inputs[TransformedExamples])
    assert trainer.mismatch("init_from", inputs[Model].artifact, {}) == "without a Keras network"

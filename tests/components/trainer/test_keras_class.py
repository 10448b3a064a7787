"""Optimizers and losses by name: their options are checked against Keras's source code."""

import inspect
import typing
from typing import Any

import pytest
from pydantic import ValidationError

from components.base.errors import ConfigError
from components.trainer.config import TrainerConfig
from components.trainer.keras_class import constructor_arguments
from components.trainer.loss import LossConfig
from components.trainer.optimizer import OtherOptimizer

OPTIMIZERS = typing.get_args(OtherOptimizer.model_fields["kind"].annotation)
LOSSES = typing.get_args(LossConfig.model_fields["kind"].annotation)
CLASSES = [("optimizers", kind) for kind in ("Adam", *OPTIMIZERS)] + [("losses", kind) for kind in LOSSES]


@pytest.mark.parametrize(
    ("section", "problem", "remedy"),
    [
        ({"optimizer": {"kind": "SGD", "momentun": 0.9}}, "SGD has no option `momentun`", "did you mean `momentum`?"),
        ({"optimizer": {"kind": "SGD", "learning_rate": 0.9}}, "SGD has no option `learning_rate`", "remove it"),
        ({"optimizer": {"kind": "Lion", "use_ema": True}}, "Lion has no option `use_ema`", "remove it"),
        ({"optimizer": {"beta_3": 0.9}}, "Adam has no option `beta_3`", "did you mean `beta_2`?"),
        ({"optimizer": {"kind": "SGD", "momentum": "high"}}, "momentum of SGD is 'high'", "correct momentum"),
        ({"optimizer": {"kind": "SGD", "momentum": True}}, "momentum of SGD is True", "correct momentum"),
        ({"optimizer": {"kind": "SGD", "momentum": float("nan")}}, "momentum of SGD is nan", "correct momentum"),
        ({"optimizer": {"kind": "SGD", "nesterov": 1}}, "nesterov of SGD is 1", "correct nesterov"),
        ({"optimizer": {"kind": "SGD", "clipnorm": "1"}}, "clipnorm of SGD is '1'", "correct clipnorm"),
        ({"loss": {"kind": "Huber", "delt": 1}}, "Huber has no option `delt`", "did you mean `delta`?"),
        ({"loss": {"kind": "Huber", "reduction": "sum"}}, "Huber has no option `reduction`", "remove it"),
    ],
)
def test_wrong_option_is_rejected_with_a_remedy(section: dict[str, Any], problem: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TrainerConfig.model_validate(section)
    (error,) = raised.value.errors()
    assert error["msg"] == problem
    assert error["ctx"]["remedy"] == remedy


def test_label_smoothing_needs_the_default_loss() -> None:
    with pytest.raises(ValidationError, match="label_smoothing belongs to the default loss"):
        TrainerConfig.model_validate({"loss": {"kind": "Huber"}, "label_smoothing": 0.1})


@pytest.mark.parametrize(("package", "kind"), CLASSES)
def test_arguments_are_those_of_keras(package: str, kind: str) -> None:
    import keras

    parameters = list(inspect.signature(getattr(getattr(keras, package), kind)).parameters.values())
    by_name = {each.name: each.default for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD}
    assert constructor_arguments(package, kind) == by_name


def test_value_that_keras_rejects_is_an_error() -> None:
    config = TrainerConfig.model_validate({"optimizer": {"kind": "SGD", "clipnorm": 1.0, "clipvalue": 1.0}})
    with pytest.raises(ConfigError, match=r"keras\.optimizers\.SGD rejects its options: Only one of"):
        config.optimizer.build(0.1)
    with pytest.raises(ConfigError, match=r"keras\.optimizers\.SGD rejects its options"):
        TrainerConfig.model_validate({"optimizer": {"kind": "SGD", "momentum": -1.0}}).optimizer.build(0.1)


def test_new_class_is_an_error_in_an_old_keras() -> None:
    with pytest.raises(ConfigError, match="this release of Keras has no optimizers.Newest"):
        constructor_arguments("optimizers", "Newest")

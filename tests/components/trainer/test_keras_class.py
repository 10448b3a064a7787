"""Optimizers and losses by name: their options are checked against Keras's source code."""

import inspect
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.base.errors import ConfigError
from components.trainer.config import TrainerConfig
from components.trainer.keras_class import constructor_arguments
from components.trainer.loss import LossConfig
from components.trainer.optimizer import OtherOptimizer
from job.config.config import load_config

OPTIMIZERS = typing.get_args(OtherOptimizer.model_fields["kind"].annotation)
LOSSES = typing.get_args(LossConfig.model_fields["kind"].annotation)
CLASSES = [("optimizers", kind) for kind in ("Adam", *OPTIMIZERS)] + [("losses", kind) for kind in LOSSES]


@pytest.mark.parametrize(
    ("key", "section", "message"),
    [
        ("optimizer.SGD.momentun", {"kind": "SGD", "momentun": 0.9}, "no such option"),
        ("optimizer.SGD.learning_rate", {"kind": "SGD", "learning_rate": 0.9}, "no such option"),
        ("optimizer.Lion.use_ema", {"kind": "Lion", "use_ema": True}, "no such option"),
        ("optimizer.Adam.beta_3", {"beta_3": 0.9}, "no such option"),
        ("optimizer.SGD.momentum", {"kind": "SGD", "momentum": "high"}, "a number, by default 0.0"),
        ("optimizer.SGD.momentum", {"kind": "SGD", "momentum": True}, "a number, by default 0.0"),
        ("optimizer.SGD.momentum", {"kind": "SGD", "momentum": float("nan")}, "a number, by default 0.0"),
        ("optimizer.SGD.nesterov", {"kind": "SGD", "nesterov": 1}, "true or false, by default false"),
        ("optimizer.SGD.clipnorm", {"kind": "SGD", "clipnorm": "1"}, "a number"),
        ("loss.delt", {"kind": "Huber", "delt": 1}, "no such option"),
        ("loss.reduction", {"kind": "Huber", "reduction": "sum"}, "no such option"),
    ],
)
def test_wrong_option_is_rejected_by_its_key(key: str, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TrainerConfig.model_validate({key.partition(".")[0]: section})
    (error,) = raised.value.errors()
    assert ".".join(map(str, error["loc"])) == key
    assert error["msg"].endswith(message)


def test_known_options_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("trainer:\n  optimizer:\n    kind: SGD\n    momentun: 0.9\n")
    with pytest.raises(ConfigError, match=r"job.yaml:4: trainer.optimizer.momentun is not a key") as raised:
        load_config(tmp_path / "job.yaml")
    assert raised.value.expected.startswith("one of kind, momentum, nesterov, weight_decay")
    assert raised.value.remedy == "did you mean trainer.optimizer.momentum?"


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

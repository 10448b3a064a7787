"""The variables that decide the rest of a training, as named arrays and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.base.errors import IntegrityError
from components.trainer.checkpoint import describe_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.trainer.checkpoint import Arrays
    from components.trainer.early_stopping import EarlyStopping

BEST = "best"
COUNTED = re.compile(r"^(adam|adamw|loss_scale_optimizer|seed_generator)_\d+(?=/)", re.ASCII)
"""Keras numbers the optimizers and random states of a process: `adam_1/iteration` is the second one's."""


def capture(classifier: Any, stopping: EarlyStopping) -> Arrays:
    """Return all of a compiled and built classifier's state, and the weights of its best epoch so far.

    The names begin with `network` (weights, statistics of batch normalization, states of the dropout's
    random numbers), `optimizer`, `metrics` (what the epoch's running means have added up), and `best`.
    """
    arrays = {name: variable.numpy() for name, variable in _variables(classifier)}
    weights = zip(
        classifier.network.weights, stopping.weights, strict=False
    )  # before the first epoch's end there is no best
    best = {f"{BEST}/{number:03}/{of.path}": array for number, (of, array) in enumerate(weights)}
    return arrays | best


def restore(arrays: Arrays, classifier: Any) -> None:
    """Put back what `capture` returned of a classifier, to one that is built alike.

    Raises:
        IntegrityError: if it is another one's.
    """
    here = dict(_variables(classifier))
    found = {name: array for name, array in arrays.items() if not name.startswith(f"{BEST}/")}
    if describe_arrays(found) != describe_arrays(here):
        raise IntegrityError(
            "the checkpoint holds other variables than the network has",
            expected="a checkpoint of the same network and optimizer",
            remedy="remove it; the job then trains from the beginning",
        )
    for name, variable in here.items():
        variable.assign(found[name])


def best_weights(arrays: Arrays) -> list[Any]:
    """Return the weights of the best epoch, in the order of `network.weights`."""
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{BEST}/")]


def _variables(classifier: Any) -> Iterator[tuple[str, Any]]:
    groups = {
        "network": classifier.network.variables,
        "optimizer": classifier.optimizer.variables,
        "metrics": classifier.metrics_variables,
    }
    for group, variables in groups.items():
        for number, variable in enumerate(variables):
            name = COUNTED.sub(r"\1", variable.path)
            yield f"{group}/{number:03}/{name}", variable

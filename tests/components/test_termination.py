"""A component that is asked to end does, between two units of its work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from components import Component, Context, Evaluator, ExampleGen, Trainer, Transform, Visualizer
from components.artifacts import Artifact, Stored
from components.errors import TerminationError
from components.testing.contract import make_inputs


class AskedAfter:
    """Lets so many units of work go on, and then asks to end."""

    def __init__(self, units: int) -> None:
        self.units = units

    @property
    def requested(self) -> bool:
        return self.units <= 0

    def check(self) -> None:
        if self.requested:
            raise TerminationError("asked to end")
        self.units -= 1

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Artifact], Stored[Any]]:
    made: dict[type[Artifact], Stored[Any]] = make_inputs(tmp_path_factory.mktemp("inputs"))
    return made


@pytest.mark.parametrize(
    ("component", "units", "made"),
    [
        (ExampleGen(), 2, ["train.parquet"]),
        (Transform(), 1, ["train_images.npy", "train_labels.npy"]),
        (Trainer(), 0, []),
        (Evaluator(), 1, []),
        (Visualizer(), 2, ["confusion_matrix.png", "curves.png"]),
    ],
)
def test_it_ends_between_units_of_work(
    tmp_path: Path,
    inputs: dict[type[Artifact], Stored[Any]],
    component: Component[Any],
    units: int,
    made: list[str],
) -> None:
    arguments = {name: inputs[kind] for name, kind in component.signature().inputs.items()}
    with pytest.raises(TerminationError):
        component.run(Context(output=tmp_path, termination=AskedAfter(units)), **arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == made

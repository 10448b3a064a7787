"""Every component stops between units of work when termination is requested."""

from pathlib import Path
from typing import Any

import pytest

from components import Component, Context, Evaluator, ExampleGen, Trainer, Transform, Visualizer
from components.artifacts import Artifact, Stored
from components.base.errors import TerminationError
from components.testing.contract import make_inputs
from tests.support.cases import parametrize_sample
from tests.support.termination import TerminationAfter


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Artifact], Stored[Any]]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@parametrize_sample(
    2,
    ("component", "units", "made"),
    [
        (ExampleGen(), 3, ["test", "train", "validation"]),
        (Transform(), 1, ["test", "train", "validation"]),
        (Trainer(), 0, []),
        (Evaluator(), 1, []),
        (Visualizer(), 2, ["confusion_matrix.png", "curves.png"]),
    ],
)
def test_stops_between_units_of_work(
    tmp_path: Path, inputs: dict[type[Artifact], Stored[Any]], component: Component[Any], units: int, made: list[str]
) -> None:
    arguments = {name: inputs[kind] for name, kind in component.signature().inputs.items()}
    with pytest.raises(TerminationError):
        component.run(Context(output=tmp_path, termination=TerminationAfter(units)), **arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == made

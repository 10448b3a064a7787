"""Notebooks in a real kernel: the tour, and components and functions that are defined in cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.notebooks import run_cells, run_notebook
from tests.support.processes import REPOSITORY

TOUR = REPOSITORY / "job" / "tour.ipynb"
SETUP = """
from rich.console import Console
from components.testing import FakeEvaluator, FakeExampleGen, FakeTrainer, FakeTransform, FakeVisualizer
from job import Pipeline, run

def statuses(trainer):
    fakes = {"example_gen": FakeExampleGen(), "transform": FakeTransform(), "visualizer": FakeVisualizer()}
    pipeline = Pipeline(trainer=trainer, evaluator=FakeEvaluator(), **fakes)
    steps = run(pipeline, root="output", console=Console(quiet=True)).record.steps
    print(*[f"{step.component} {step.status}: {step.reason}" for step in steps if step.component == "trainer"])
"""
TRAINER = '''
from components import ComponentConfig

class MyConfig(ComponentConfig):
    note: str = ""

class MyTrainer(FakeTrainer):
    """Fits as the fake."""
'''


def test_tour_is_committed_without_outputs() -> None:
    cells = [cell for cell in json.loads(TOUR.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5
    assert [cell["source"] for cell in cells if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.thorough
def test_tour_runs(tmp_path: Path) -> None:
    import nbformat

    outputs = run_notebook(nbformat.read(TOUR, as_version=4), tmp_path)
    printed = "\n".join(outputs)
    assert "validation" in printed
    assert "report.html" in outputs[-1]


@pytest.mark.thorough
def test_cell_that_runs_again_reuses_its_component(tmp_path: Path) -> None:
    edited = TRAINER.replace("Fits", "Also fits")
    cells = [TRAINER, "statuses(MyTrainer())", TRAINER + "statuses(MyTrainer())", edited, "statuses(MyTrainer())"]
    outputs = run_cells([SETUP, *cells], tmp_path)
    assert outputs[2] == "trainer ran: first time\n"
    assert outputs[3] == "trainer reused: same code, config, inputs and libraries\n"
    assert outputs[5] == "trainer ran: its source code changed\n"
    # Another kernel, in which the cells have other numbers.
    assert "reused" in run_cells([SETUP, "1", edited, "statuses(MyTrainer())"], tmp_path)[-1]

"""BulkInferrer without the job: the contract, and the temperature."""

from pathlib import Path

import pandas as pd

from components import BulkInferrer, Context, Model
from components.inference.transform_graph import scaling_graph
from components.testing import ComponentContract
from components.testing.contract import make_inputs
from tests.support.processes import REPOSITORY

PATHS = (REPOSITORY / ".github" / "pictures" / "reading.png",) * 3


class TestBulkInferrer(ComponentContract):
    component = BulkInferrer(BulkInferrer.Config(paths=PATHS, graph=scaling_graph(), shard_rows=2))


def test_temperature_changes_probabilities_and_no_label(tmp_path: Path) -> None:
    model = make_inputs(tmp_path)[Model]
    frames = []
    for temperature in (None, 4.0):
        output = tmp_path / f"output-{temperature}"
        output.mkdir()
        config = BulkInferrer.Config(paths=PATHS, graph=scaling_graph(), temperature=temperature)
        BulkInferrer(config).run(Context(output=output), model=model)
        frames.append(pd.read_parquet(output / "predictions"))
    assert frames[0].label.equals(frames[1].label)
    assert (frames[0].probability > frames[1].probability).all()

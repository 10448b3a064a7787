"""A model that training begins with is an input of the run: resolved by name, recorded, in the lineage, and cached."""

from pathlib import Path
from typing import Any

import pytest

from components import Model
from job import run
from job.config.config import load_config
from job.store.records import RunRecord
from job.store.runs import Runs
from job.store.store import Store
from tests.conftest import FinishedRun
from tests.support.imports import HEAVY, imported_by
from tests.support.roots import copy_root

CONFIG = """
extends: {digits}
root: {root}
example_gen: {{source: {{size: 20}}}}
trainer:
  init_from: {model}
  freeze: ["convolution_*"]
  epochs: 1
  exports: []
  optimizer: {{kind: SGD, momentum: 0.9}}
  loss: {{kind: CategoricalFocalCrossentropy, gamma: 2.0}}
evaluator: {{thresholds: {{accuracy: {{minimum: 0.1}}}}}}
"""
pytestmark = pytest.mark.thorough


def trainer_step(record: RunRecord) -> Any:
    return next(step for step in record.steps if step.component == "trainer")


def test_initial_model_is_a_cached_input(digits_run: FinishedRun, tmp_path: Path) -> None:
    root = copy_root(digits_run.root, tmp_path / "root")
    first = Runs(root).read()
    original = trainer_step(first)
    config = tmp_path / "fine_tune.yaml"
    fingerprints: set[str] = set()
    for name in (first.run_id, "latest-blessed", root / "runs" / first.run_id, original.path):
        config.write_text(CONFIG.format(digits=digits_run.config, root=root, model=name))
        step = trainer_step(run(load_config(config)).record)
        assert step.status == ("reused" if fingerprints else "ran"), name
        assert step.references["init_from"].digest == original.digest
        fingerprints.add(step.fingerprint)
    assert len(fingerprints) == 1, "the model counts, not how it is named"
    (sealed,) = (each for each in Store(root).sealed_artifacts() if each.manifest.fingerprint in fingerprints)
    assert sealed.manifest.inputs["init_from"] == original.digest
    model = sealed.manifest.artifact
    assert isinstance(model, Model)
    assert model.initial_weights is not None
    assert list(model.initial_weights.not_loaded) == ["dense_1"]
    assert not imported_by("run", "--config", config, "--until", "trainer") & {*HEAVY}

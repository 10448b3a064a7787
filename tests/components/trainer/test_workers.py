"""Trainings of several workers, as processes on loopback, compared with a training on one device."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.workers import Worker, cluster_of, make_root, run_workers, saved_weights

NETWORK = {"filters": [4, 4, 4], "dense": [8, 8], "dropout": 0.3}
SETTINGS = {"network": NETWORK, "epochs": 2, "batch_size": 16, "monitor": "epoch", "exports": []}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def workers(root: Path, count: int, **settings: Any) -> list[Worker]:
    changed = {**SETTINGS, "strategy": "multi_worker", **settings}
    return [Worker(root=root, settings=changed, cluster=cluster) for cluster in cluster_of(count)]


def test_two_workers_train_as_one_device(root: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(root, tmp_path / "alone")
    ended = run_workers([*workers(root, 2), Worker(root=alone, settings=SETTINGS)])
    assert ended.codes == [0, 0, 0], ended.results
    assert ended.results[0]["weights"] == ended.results[1]["weights"] != ended.results[2]["weights"]
    assert ended.results[0]["device"] == f"{ended.results[2]['device']}, 2 workers"
    for one, other in zip(saved_weights(root), saved_weights(alone), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)

"""Trainings of several workers, as processes on loopback: compared with one device, interrupted, resumed."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.workers import Ended, Worker, cluster_of, make_root, run_workers, saved_weights

NETWORK = {"filters": [4, 4, 4], "dense": [8, 8], "dropout": 0.3}
SETTINGS = {"network": NETWORK, "epochs": 2, "batch_size": 16, "monitor": "epoch", "exports": []}
INTERRUPTED = "TerminationError: the job was interrupted in epoch 2, after step 3; its progress is saved"


def workers(
    root: Path, count: int, *, signals: dict[int, signal.Signals] | None = None, **settings: Any
) -> list[Worker]:
    """Return workers, some of which send themselves a signal in the middle of the second and last epoch."""
    changed = {**SETTINGS, "strategy": "multi_worker", "checkpoint": {"every_steps": 1}, **settings}
    plans = {index: {(2, 3): number} for index, number in (signals or {}).items()}
    return [
        Worker(root=root, settings=changed, cluster=cluster, signals=plans.get(cluster.index, {}))
        for cluster in cluster_of(count)
    ]


def weights(ended: Ended) -> str:
    """Return the digest of the weights with which all workers completed."""
    assert ended.codes == [0] * len(ended.codes), ended.results
    (digest,) = {result["weights"] for result in ended.results}
    return str(digest)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The training of two workers without interruption."""
    return run_workers(workers(make_root(tmp_path_factory.mktemp("whole")), 2))


def test_two_workers_train_as_one_device(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    alone = make_root(tmp_path_factory.mktemp("alone"))
    ended = run_workers([*workers(root, 2), Worker(root=alone, settings=SETTINGS)])
    assert ended.codes == [0, 0, 0], ended.results
    first, second, one_device = ended.results
    assert first["weights"] == second["weights"] != one_device["weights"]
    assert first["history"] == second["history"]
    assert first["device"] == f"{one_device['device']}, 2 workers"
    for one, other in zip(saved_weights(root), saved_weights(alone), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("index", [0, 1])
def test_all_stop_at_the_step_at_which_one_is_terminated(index: int, root: Path, whole: Ended) -> None:
    ended = run_workers(workers(root, 2, signals={index: signal.SIGTERM}))
    assert ended.codes == [143, 143]
    assert [result["error"] for result in ended.results] == [INTERRUPTED] * 2
    resumed = run_workers(workers(root, 2))
    assert [result["resumed"] for result in resumed.results] == [[[2, 3]]] * 2
    assert weights(resumed) == weights(whole)
    assert resumed.results[0]["history"] == whole.results[0]["history"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("index", "number"), [(0, signal.SIGKILL), (1, signal.SIGKILL), (0, signal.SIGSTOP), (1, signal.SIGSTOP)]
)
def test_loss_of_a_worker_ends_the_others(index: int, number: signal.Signals, root: Path, whole: Ended) -> None:
    lost = run_workers(workers(root, 2, signals={index: number}), left_alone=[index])
    assert lost.codes[1 - index] == 5, lost.results
    message = f"ResourceError: worker {1 - index} of 2 lost the connection to another worker: "
    assert lost.results[1 - index]["error"].startswith(message)
    resumed = run_workers(workers(root, 2))
    assert resumed.results[0]["resumed"][0][0] == 2
    assert weights(resumed) == weights(whole)


@pytest.mark.thorough
def test_another_number_of_workers_continues_with_a_warning(root: Path) -> None:
    ended = run_workers(workers(root, 2, signals={1: signal.SIGTERM}))
    assert ended.codes == [143, 143]
    resumed = run_workers(workers(root, 3))
    weights(resumed)
    for result in resumed.results:
        assert result["resumed"] == [[2, 3]]
        assert "2 workers, and training continues on" in result["messages"][0]

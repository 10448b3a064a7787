"""Trainings on several devices and workers, as processes: compared with one device, interrupted, resumed."""

import dataclasses
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.base.cluster import Cluster
from components.runtime.rendezvous import Rendezvous
from components.testing import FakeExampleGen
from components.trainer.strategy import cluster_work
from tests.support import namespaces
from tests.support.workers import CHECKPOINTS, Ended, Worker, cluster_of, make_root, run_workers, saved_weights

NETWORK = {"filters": [4, 4, 4], "dense": [8, 8], "dropout": 0.3}
SETTINGS = {"network": NETWORK, "epochs": 2, "batch_size": 16, "monitor": "epoch", "exports": []}
WITH_BATCH_NORMALIZATION = {**NETWORK, "batch_normalization": True}
ALL_BUT_ONE = 89
"""A batch size that leaves one image for the last batch: one of two replicas has none."""
INTERRUPTED = "TerminationError: the job was interrupted in epoch 2, after step 3; its progress is saved"
LOST = "ResourceError: worker {} lost the connection to another worker: "
LARGE_IMAGES = FakeExampleGen(FakeExampleGen.Config(size=160))
pytestmark = pytest.mark.thorough


def workers(
    root: Path, count: int, *, signals: dict[int, signal.Signals] | None = None, **settings: Any
) -> list[Worker]:
    """Return workers; those with a signal receive it in the middle of the second and last epoch."""
    changed = {**SETTINGS, "network": WITH_BATCH_NORMALIZATION, "strategy": "multi_worker", **settings}
    changed["checkpoint"] = {"every_steps": 1}
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


def newest_checkpoint(root: Path) -> str:
    """Return its name, which sorts by epoch and step."""
    return max(path.name for path in (root / CHECKPOINTS).iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The training of two workers without interruption."""
    return run_workers(workers(make_root(tmp_path_factory.mktemp("whole")), 2))


def assert_equal_weights(root: Path, other: Path) -> None:
    for one, another in zip(saved_weights(root), saved_weights(other), strict=True):
        np.testing.assert_allclose(one, another, atol=1e-4)


def assert_equal_trainings(ended: Ended) -> None:
    """Check that two workers have the same weights, and not exactly those of the one device."""
    assert ended.codes == [0, 0, 0], ended.results
    first, second, one_device = ended.results
    assert first["weights"] == second["weights"] != one_device["weights"]
    assert first["history"] == second["history"]
    assert first["device"] == f"{one_device['device']}, 2 workers"


def test_two_workers_train_as_one_device(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    alone = make_root(tmp_path_factory.mktemp("alone"))
    ended = run_workers([*workers(root, 2, network=NETWORK), Worker(root=alone, settings=SETTINGS)])
    assert_equal_trainings(ended)
    assert_equal_weights(root, alone)


def test_workers_that_load_their_parts_train_as_one_device(tmp_path: Path) -> None:
    roots = [make_root(tmp_path / name, LARGE_IMAGES) for name in ("workers", "alone")]
    settings: dict[str, Any] = {"memory_budget": "16MB", "epochs": 1}  # the images take more than half: two blocks
    alone = Worker(root=roots[1], settings=SETTINGS | settings)
    ended = run_workers([*workers(roots[0], 2, network=NETWORK, **settings), alone])
    assert_equal_trainings(ended)
    assert_equal_weights(*roots)


def test_two_devices_train_as_one(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    alone = make_root(tmp_path_factory.mktemp("alone"))
    settings = {
        **SETTINGS,
        "epochs": 5,
        "batch_size": ALL_BUT_ONE,
        "optimizer": {"kind": "SGD", "momentum": 0.9, "global_clipnorm": 0.1},
        "label_smoothing": 0.1,
        "augmentation": {"rotation": 10, "flip": ["horizontal"]},
    }
    replicated = Worker(root=root, settings={**settings, "strategy": "mirrored"}, devices=2)
    ended = run_workers([replicated, Worker(root=alone, settings=settings)])
    assert ended.codes == [0, 0], ended.results
    assert ended.results[0]["device"] == f"{ended.results[1]['device']}, 2 replicas"
    assert_equal_weights(root, alone)


def test_all_stop_at_the_step_at_which_one_is_terminated(root: Path, whole: Ended) -> None:
    ended = run_workers(workers(root, 2, signals={1: signal.SIGTERM}))
    assert ended.codes == [143, 143]
    assert [result["error"] for result in ended.results] == [INTERRUPTED] * 2
    chief, other = workers(root, 2)
    resumed = run_workers([dataclasses.replace(chief, steps_before=True), other])
    assert [result["resumed"] for result in resumed.results] == [[[2, 3]]] * 2
    assert weights(resumed) == weights(whole)
    assert resumed.results[0]["history"] == whole.results[0]["history"]


def test_killed_worker_ends_the_other_and_they_resume(root: Path, whole: Ended) -> None:
    lost = run_workers(workers(root, 2, signals={1: signal.SIGKILL}), left_alone=[1])
    assert lost.codes[0] == 5, lost.results
    assert lost.results[0]["error"].startswith(LOST.format("0 of 2"))
    assert newest_checkpoint(root) <= "epoch-0002-step-00003", "a later step is half applied"
    resumed = run_workers(workers(root, 2))
    assert resumed.results[0]["resumed"][0][0] == 2
    assert weights(resumed) == weights(whole)


def test_stopped_worker_0_ends_the_others_and_all_resume(root: Path) -> None:
    lost = run_workers(workers(root, 3, signals={0: signal.SIGSTOP}), left_alone=[0])
    assert lost.codes[1:] == [5, 5], lost.results
    for index in (1, 2):
        assert lost.results[index]["error"].startswith(LOST.format(f"{index} of 3"))
    assert newest_checkpoint(root) <= "epoch-0002-step-00003", "a later step is half applied"
    resumed = run_workers(workers(root, 3))
    weights(resumed)
    assert [result["resumed"][0][0] for result in resumed.results] == [2, 2, 2]


def test_worker_lost_before_the_first_step_ends_the_other(root: Path) -> None:
    chief, lost = workers(root, 2)
    assert lost.cluster is not None
    work = cluster_work(lost.fingerprint, gpus=0)
    rendezvous = Rendezvous(cluster=lost.cluster, work=work, seconds=100, check=lambda: None, report=lambda _: None)
    with ThreadPoolExecutor() as pool:
        met = pool.submit(rendezvous.meet)
        ended = run_workers([dataclasses.replace(chief, start_seconds=2)])
        assert met.result() == b"", "there is no checkpoint"
    assert ended.codes == [5]
    assert "lost the connection to another worker: Timeout waiting for the cluster" in ended.results[0]["error"]


def test_workers_stop_early_after_the_same_epoch(root: Path) -> None:
    chief, other = workers(root, 2, network=NETWORK, epochs=40, patience=1, monitor="val_accuracy")
    ended = run_workers([chief, dataclasses.replace(other, rounding_error=1e-3)])
    weights(ended)
    first, second = (result["history"] for result in ended.results)
    assert first == second
    assert len(first) < 40


def test_another_number_of_workers_continues_with_a_warning(root: Path) -> None:
    ended = run_workers(workers(root, 2, signals={0: signal.SIGTERM}))
    assert ended.codes == [143, 143]
    resumed = run_workers(workers(root, 3))
    weights(resumed)
    for result in resumed.results:
        assert result["resumed"] == [[2, 3]]
        assert "2 workers, and training continues on" in result["messages"][0]


def test_cut_link_ends_all_three_workers_and_they_resume(root: Path, tmp_path: Path) -> None:
    if reason := namespaces.why_skipped():
        pytest.skip(reason)
    with namespaces.namespaces(3) as names:
        addresses = tuple(f"{namespaces.address(index)}:2222" for index in range(3))
        apart = [
            dataclasses.replace(
                worker, namespace=names[index], cluster=Cluster(workers=addresses, index=index, source="the test")
            )
            for index, worker in enumerate(workers(root, 3))
        ]
        cut = run_workers([*apart[:2], dataclasses.replace(apart[2], commands={(2, 3): namespaces.CUT})])
        assert cut.codes == [5, 5, 5], cut.results
        namespaces.ip("-n", names[2], "link", "set", namespaces.INTERFACE, "up")
        resumed = run_workers(apart)
        undisturbed = make_root(tmp_path / "undisturbed")
        whole = run_workers([dataclasses.replace(worker, root=undisturbed) for worker in apart])
    assert resumed.results[0]["resumed"][0][0] == 2
    assert weights(resumed) == weights(whole)

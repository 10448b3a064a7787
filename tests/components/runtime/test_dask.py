"""The engine `Dask`: killed workers, a lost scheduler, and workers with other versions."""

import importlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from components.base.errors import ConfigError, ResourceError, TerminationError
from components.runtime import dask, dask_workers
from components.runtime.dask import Dask
from tests.support.dask_cluster import DaskCluster
from tests.support.tasks import killed_times, never, sleep, square
from tests.support.termination import TerminationAfter

pytestmark = pytest.mark.thorough


def raise_error() -> None:
    raise ConfigError("epochs is -1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


@pytest.fixture
def engine(cluster: DaskCluster, tmp_path: Path) -> Iterator[Dask]:
    with Dask(cluster.address, tmp_path) as opened:
        yield opened


def test_results_are_in_the_order_of_the_tasks(engine: Dask) -> None:
    results = list(engine.run([partial(square, number) for number in range(50)], never))
    assert [result for result, _ in results] == [number**2 for number in range(50)]
    assert os.getpid() not in {process for _, process in results}
    assert engine.parallel == 2, "both workers are on this machine"
    assert list(engine.run([lambda: 1], never)) == [1], "in this process"


def test_relative_paths_are_those_of_the_job(engine: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    list(engine.run([partial(sleep, Path(), 0)], never))
    assert list(tmp_path.iterdir())


def test_errors_are_those_of_this_process(engine: Dask) -> None:
    with pytest.raises(ConfigError, match="epochs is -1") as caught:
        list(engine.run([raise_error], never))
    assert "in raise_error" in str(caught.value.__cause__)


def test_termination_does_not_wait_for_tasks(engine: Dask, tmp_path: Path) -> None:
    with pytest.raises(TerminationError):
        list(engine.run([partial(sleep, tmp_path, 8)] * 4, TerminationAfter(3).check))


def test_workers_need_the_folder_and_the_same_versions(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect() -> None:
        with Dask(cluster.address, tmp_path) as engine:
            list(engine.run([partial(square, 1)], never))

    with monkeypatch.context() as patch, pytest.raises(ConfigError, match="does not have the folder"):
        patch.setattr(Path, "touch", lambda _: None)  # as if the worker had no such folder
        connect()
    monkeypatch.setattr(dask_workers, "library_version", lambda _: "1.0")
    with pytest.raises(ConfigError, match="has mnist-job .*, but this process has 1.0"):
        connect()


def test_workers_need_the_same_modules_of_the_user(
    engine: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "my_functions_for_dask"
    (tmp_path / f"{module}.py").write_text("def one():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    one = importlib.import_module(module).one
    with pytest.raises(ConfigError, match=f"a Dask worker cannot import {module}"):
        list(engine.run([one], never))
    monkeypatch.setattr(dask_workers, "_digest", lambda name: "another" if name == "tests" else "")
    with pytest.raises(ConfigError, match="a Dask worker has another tests"):
        list(engine.run([partial(square, 1)], never))


def test_tasks_of_killed_workers_run_again(tmp_path: Path) -> None:
    with DaskCluster(tmp_path / "dask", workers=3) as cluster, Dask(cluster.address, tmp_path) as engine:
        tasks = [partial(killed_times, int(number in (2, 5)), tmp_path, number) for number in range(9)]
        assert list(engine.run(tasks, never)) == [*range(9)]


def test_cluster_without_workers_is_a_resource_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 5)
    monkeypatch.setattr(dask, "CHECK_SECONDS", 0.5)
    with DaskCluster(tmp_path / "dask", workers=0) as cluster:
        with Dask(cluster.address, tmp_path) as engine, pytest.raises(ResourceError, match="no worker for 5 s"):
            list(engine.run([partial(square, 1)], never))
        cluster.add_worker()
        with Dask(cluster.address, tmp_path) as engine, pytest.raises(ResourceError, match="no worker for 5 s"):
            list(engine.run([partial(killed_times, 9, tmp_path, 1)], never))


def test_lost_scheduler_is_a_resource_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DaskCluster(tmp_path / "dask", workers=1) as cluster, Dask(cluster.address, tmp_path) as engine:
        results = engine.run([partial(sleep, tmp_path, 0), *[partial(sleep, tmp_path, 9)] * 9], never)
        next(results)
        cluster.scheduler.kill()
        with pytest.raises(ResourceError, match=f"scheduler at {cluster.address} cannot be reached"):
            list(results)
        monkeypatch.setattr(dask, "CONNECT_SECONDS", 1)
        with Dask(cluster.address, tmp_path) as again, pytest.raises(ResourceError, match="cannot be reached"):
            list(again.run([partial(square, 1)], never))

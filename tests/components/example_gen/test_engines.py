"""ExampleGen and Transform on engines: identical bytes from each."""

from pathlib import Path

import pytest

from components import Context, ExampleGen, Stored, Transform
from components.base.engine import Engine, InProcess
from components.example_gen import ExampleGenConfig
from components.io.splits import shard_rows
from components.runtime.dask import Dask
from components.runtime.processes import Processes
from components.transform import TransformConfig
from tests.support.dask_cluster import DaskCluster
from tests.support.data import write_idx_folder
from tests.support.engines import SmallFiles, with_small_files


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_idx_folder(tmp_path_factory.mktemp("idx"), train=3000, test=600)


def files_of(engine: Engine, source: Path, folder: Path) -> dict[str, bytes]:
    """Return all files of ExampleGen and Transform on an engine."""
    example_gen = ExampleGen(ExampleGenConfig.model_validate({"source": {"kind": "idx", "path": source}}))
    transform = Transform(TransformConfig.model_validate({"operations": [{"kind": "standardize"}]}))
    examples, transformed = folder / "examples", folder / "transformed"
    for output in (examples, transformed):
        output.mkdir(parents=True)
    made = Stored(example_gen.run(Context(output=examples, engine=engine)), examples)
    transform.run(Context(output=transformed, engine=engine), examples=made)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.thorough
def test_dask_writes_identical_bytes(source: Path, tmp_path: Path) -> None:
    def run() -> None:
        expected = files_of(SmallFiles(InProcess()), source, tmp_path / "this")
        with DaskCluster(tmp_path / "cluster") as cluster, Dask(cluster.address, tmp_path) as engine:
            assert files_of(SmallFiles(engine), source, tmp_path / "dask") == expected

    with_small_files(run)


def test_processes_write_identical_bytes(source: Path, tmp_path: Path) -> None:
    def run() -> None:
        assert shard_rows(784) == 400
        expected = files_of(SmallFiles(InProcess()), source, tmp_path / "this")
        assert len(expected) > 2 * 8, "files of each split"
        with Processes(2) as engine:
            found = files_of(SmallFiles(engine), source, tmp_path / "processes")
        assert found == expected

    with_small_files(run)

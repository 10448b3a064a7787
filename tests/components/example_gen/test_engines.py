"""ExampleGen and Transform on engines: identical bytes from each."""

from pathlib import Path

import pytest

from components import Context, ExampleGen, Stored, Transform
from components.base.engine import Engine, InProcess
from components.example_gen import ExampleGenConfig
from components.io.splits import shard_rows
from components.runtime.processes import Processes
from components.transform import TransformConfig
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


def test_each_engine_writes_identical_bytes(source: Path, tmp_path: Path) -> None:
    def run() -> None:
        assert shard_rows(784) == 400
        expected = files_of(SmallFiles(InProcess()), source, tmp_path / "this")
        assert len(expected) > 2 * 8, "files of each split"
        with Processes(2) as engine:
            found = files_of(SmallFiles(engine), source, tmp_path / "processes")
        assert found == expected

    with_small_files(run)

"""ExampleGen and Transform on engines: identical bytes from each."""

import io
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components import Context, ExampleGen, Stored, Transform
from components.base.engine import Engine, InProcess
from components.base.errors import DataError
from components.example_gen import ExampleGenConfig
from components.example_gen.sources import AnySource, ImageFolderSource, ParquetSource, image_folder, parquet_reader
from components.io.splits import shard_rows
from components.runtime import processes
from components.runtime.dask import Dask
from components.runtime.processes import Processes
from components.transform import TransformConfig
from tests.support.dask_cluster import DaskCluster
from tests.support.data import load, write_idx_folder
from tests.support.engines import SmallFiles, with_small_files


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_idx_folder(tmp_path_factory.mktemp("idx"), train=3000, test=600)


@pytest.fixture(scope="module")
def engine() -> Iterator[Processes]:
    with mock.patch.object(processes, "MIN_SAVED_SECONDS", -1), Processes(2) as opened:
        yield opened


def files_of(engine: Engine, source: Path, folder: Path) -> dict[str, bytes]:
    """Return all files of ExampleGen and Transform on an engine."""
    example_gen = ExampleGen(ExampleGenConfig.model_validate({"source": {"kind": "idx", "path": source}}))
    transform = Transform(TransformConfig.model_validate({"operations": [{"kind": "standardize"}]}))
    examples, transformed = folder / "examples", folder / "transformed"
    for output in (examples, transformed):
        output.mkdir(parents=True)
    made = Stored(example_gen.run(Context(output=examples, engine=engine), baseline=None), examples)
    transform.run(Context(output=transformed, engine=engine), examples=made)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_processes_write_identical_bytes(source: Path, engine: Processes, tmp_path: Path) -> None:
    def run() -> None:
        assert shard_rows(784) == 400
        expected = files_of(SmallFiles(InProcess()), source, tmp_path / "this")
        assert len(expected) > 2 * 8, "files of each split"
        assert files_of(SmallFiles(engine), source, tmp_path / "processes") == expected

    with_small_files(run)


@pytest.mark.thorough
def test_dask_writes_identical_bytes(source: Path, tmp_path: Path) -> None:
    def run() -> None:
        expected = files_of(SmallFiles(InProcess()), source, tmp_path / "this")
        with DaskCluster(tmp_path / "cluster") as cluster, Dask(cluster.address, tmp_path) as engine:
            assert files_of(SmallFiles(engine), source, tmp_path / "dask") == expected

    with_small_files(run)


def picture(number: int, *, mode: str = "L", frames: int = 1) -> bytes:
    """Return a GIF or PNG picture whose level is its number."""
    image = Image.fromarray(np.full((6 + number % 3, 6), number, np.uint8)).convert(mode)
    content = io.BytesIO()
    if frames > 1:
        image.save(content, "GIF", save_all=True, append_images=[Image.new("L", image.size, 9)] * (frames - 1))
    else:
        image.save(content, "PNG")
    return content.getvalue()


def write_pictures(folder: Path, pictures: list[bytes]) -> tuple[AnySource, AnySource]:
    """Write pictures to folders of classes and to a Parquet file; return both sources."""
    for number, content in enumerate(pictures):
        file = folder / "pictures" / str(number % 2) / f"{number:03}.{'gif' if content[:3] == b'GIF' else 'png'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    table = pa.table({"image": pictures, "label": [number % 2 for number in range(len(pictures))]})
    pq.write_table(table, folder / "all.parquet", row_group_size=3)
    return (ImageFolderSource(path=folder / "pictures", size=6), ParquetSource(path=folder / "all.parquet", size=6))


def test_processes_decode_the_same_images(engine: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    color = Image.new("RGB", (6, 6), "red")
    content = io.BytesIO()
    color.save(content, "PNG")
    pictures = [picture(number, frames=1 + (number % 8 == 3)) for number in range(20)]
    pictures[13] = content.getvalue()  # from it on, all images have three channels
    for source in write_pictures(tmp_path, pictures):
        whole = load(source)
        monkeypatch.setattr(image_folder, "TASK_PICTURES", 2)
        monkeypatch.setattr(parquet_reader, "TASK_ROWS", 3)
        for each in (InProcess(), engine):
            parts = load(source, each)
            np.testing.assert_array_equal(parts.train.images, whole.train.images)
            np.testing.assert_array_equal(parts.train.labels, whole.train.labels)
            assert parts.warnings == whole.warnings
        assert whole.train.images.shape == (20, 6, 6, 3)
        assert "have several frames" in whole.warnings[0]
        monkeypatch.undo()


def test_the_first_invalid_picture_is_reported(
    engine: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_folder, "TASK_PICTURES", 2)
    monkeypatch.setattr(parquet_reader, "TASK_ROWS", 3)
    pictures = [picture(number) for number in range(20)]
    pictures[18], pictures[14], pictures[5] = b"GIF", b"GIF", b"GIF"
    for source, name in zip(write_pictures(tmp_path, pictures), ("0/014.gif", "row 5 of"), strict=True):
        messages = []
        for each in (InProcess(), engine):
            with pytest.raises(DataError, match=name) as caught:
                load(source, each)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]

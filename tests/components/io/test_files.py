"""Files of data: only regular files are read, and anything else is an error at once."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.base.errors import DataError
from components.example_gen.sources import CsvSource, IdxSource, ImageFolderSource
from components.example_gen.sources.base import SourceConfig
from components.inference.preprocessing.input_files import count_images, find_files
from components.inference.preprocessing.input_reader import InputReader
from components.inference.preprocessing.normalize import normalize
from components.io.files import open_regular
from components.io.picture_folder import SkippedFiles
from tests.support.data import load, write_csv, write_idx_folder, write_image_folder
from tests.support.time_limit import time_limit


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    with time_limit():
        yield


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def make_socket(path: Path) -> None:
    short = path.parent / "s"
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:  # through the folder's descriptor: a socket's path is short
        server.bind(f"/proc/self/fd/{folder}/{short.name}")
    os.close(folder)
    short.rename(path)


SPECIAL_FILES = {"FIFO": make_fifo, "device": link_to_device, "link to a FIFO": link_to_fifo, "socket": make_socket}


def csv_source(folder: Path) -> tuple[SourceConfig, Path]:
    return CsvSource(path=write_csv(folder / "train.csv")), folder / "train.csv"


def idx_source(folder: Path) -> tuple[SourceConfig, Path]:
    return IdxSource(path=write_idx_folder(folder)), folder / "t10k-labels-idx1-ubyte"


def folder_source(folder: Path) -> tuple[SourceConfig, Path]:
    return ImageFolderSource(path=write_image_folder(folder)), folder / "0" / "0.png"


@pytest.mark.parametrize("make_special", SPECIAL_FILES.values(), ids=SPECIAL_FILES.keys())
@pytest.mark.parametrize("make_source", [csv_source, idx_source, folder_source])
def test_source_reads_regular_files_only(
    tmp_path: Path, make_source: Callable[[Path], tuple[SourceConfig, Path]], make_special: Callable[[Path], None]
) -> None:
    source, path = make_source(tmp_path)
    path.unlink()
    make_special(path)
    for read in (source.identity, lambda: load(source)):
        with pytest.raises(DataError, match=r"is a (FIFO|device|socket)") as caught:
            read()
        assert str(path) in caught.value.headline


@pytest.mark.parametrize("make_special", SPECIAL_FILES.values(), ids=SPECIAL_FILES.keys())
@pytest.mark.parametrize("name", ["x.png", "x.csv", "x-idx3-ubyte", "x"])
def test_predict_reads_regular_files_only(tmp_path: Path, name: str, make_special: Callable[[Path], None]) -> None:
    make_special(tmp_path / name)
    assert count_images([tmp_path / name]) == 1
    with pytest.raises(DataError, match=r"is a (FIFO|device|socket)"):
        list(InputReader(28, 28, normalize).read(tmp_path / name))


def test_search_returns_a_fifo_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    assert find_files(tmp_path, SkippedFiles()) == [tmp_path / "x.png"]


def test_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link", "a file") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize(
    ("name", "message"), [(".", "is not a file: Is a directory"), ("none", "does not exist"), ("loop", "symbolic")]
)
def test_other_names_raise_data_error(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=message):
        open_regular(tmp_path / name, "a file")

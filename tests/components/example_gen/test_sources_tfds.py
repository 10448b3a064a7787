"""The tfds source, for real: tensorflow-datasets downloads from a local HTTP server and prepares."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.base.errors import ConfigError, DataError
from components.example_gen.sources import TfdsSource
from tests.support.data import load, squares, write_idx_folder

TRAIN, TEST = 300, 10_000
"""tensorflow-datasets expects 60,000 and 10,000 images; the first is made smaller for the test."""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder on the loopback interface as the place that MNIST is downloaded from."""
    from components.runtime.tensorflow import import_tensorflow

    import_tensorflow()
    from tensorflow_datasets.image_classification import mnist

    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        monkeypatch.setattr(mnist.MNIST, "URL", f"http://127.0.0.1:{http.server_port}/")
        monkeypatch.setattr(mnist, "_TRAIN_EXAMPLES", TRAIN)
        yield folder
        http.shutdown()
        thread.join()


def test_it_downloads_prepares_and_reads(server: Path, tmp_path: Path) -> None:
    write_idx_folder(server, train=TRAIN, test=TEST, gz=True)
    source = TfdsSource(name="mnist", data_dir=tmp_path / "prepared")
    dataset = load(source)
    assert dataset.title == "mnist 3.0.1"
    assert dataset.class_names == tuple("0123456789")
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (TRAIN, TEST)
    assert dataset.train.images.shape == (TRAIN, 28, 28)
    served = {image.tobytes(): label for image, label in zip(*squares(TRAIN), strict=True)}
    for image, label in zip(dataset.train.images, dataset.train.labels, strict=True):
        assert served[image.tobytes()] == label

    again = load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared", download=False))
    np.testing.assert_array_equal(again.train.images, dataset.train.images)
    small = load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared", size=14))
    assert small.train.images.shape == (TRAIN, 14, 14)

    (described,) = (tmp_path / "prepared").glob("**/dataset_info.json")
    described.write_text(described.read_text().replace('"fileFormat": "tfrecord"', '"fileFormat": "riegeli"'))
    with pytest.raises(ConfigError, match="is kept as riegeli") as told:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert told.value.expected.startswith("TFRecord files")


def test_a_server_without_the_file_is_told(server: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`mnist` could not be downloaded.*404") as told:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert not list(server.iterdir())
    assert "data_dir" in told.value.remedy


def test_a_server_that_sends_something_else_is_told(server: Path, tmp_path: Path) -> None:
    for path in write_idx_folder(server, gz=True).iterdir():
        path.write_bytes(b"<html>moved</html>")
    with pytest.raises(DataError, match="`mnist` could not be downloaded and prepared"):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))


@pytest.fixture(scope="module")
def no_waiting() -> Iterator[None]:
    """Let urllib3 not wait between its ten attempts, which is more than three minutes in all.

    It holds for the module, because three other downloads go on trying after the first has failed.
    """
    import urllib3.util.retry

    class NoWaiting:
        """Stands for the module `time`."""

        @staticmethod
        def sleep(seconds: float) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.util.retry, "time", NoWaiting)
        yield


@pytest.mark.usefixtures("no_waiting")
def test_a_refused_connection_is_told(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow_datasets.image_classification import mnist

    monkeypatch.setattr(mnist.MNIST, "URL", "http://127.0.0.1:9/")  # the discard port: nobody listens
    with pytest.raises(DataError, match=r"could not be downloaded.*127\.0\.0\.1"):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert not list(server.iterdir())


def test_without_leave_to_download_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not prepared in .*, and download is false"):
        load(TfdsSource(name="mnist", data_dir=tmp_path, download=False))


def test_a_misspelled_name_is_told_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data set named `mnits`") as told:
        load(TfdsSource(name="mnits", data_dir=tmp_path))
    assert told.value.remedy == "did you mean `mnist`?"


def test_an_unknown_variant_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no `emnist/digit`"):
        load(TfdsSource(name="emnist/digit", data_dir=tmp_path))


def test_a_set_that_is_not_of_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`iris` is not an image-classification set"):
        load(TfdsSource(name="iris", data_dir=tmp_path, download=False))

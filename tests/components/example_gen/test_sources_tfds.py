"""The tfds source: tensorflow-datasets downloads from a local HTTP server and prepares the data set."""

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
"""tensorflow-datasets expects 60,000 and 10,000 images; the test reduces the first number."""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder on the loopback interface, and set it as the download server of MNIST."""
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


def test_downloads_prepares_and_reads(server: Path, tmp_path: Path) -> None:
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
    with pytest.raises(ConfigError, match="is stored as riegeli") as caught:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert caught.value.expected.startswith("TFRecord files")


def test_missing_file_on_server_raises_data_error(server: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`mnist` could not be downloaded.*404") as caught:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert not list(server.iterdir())
    assert "data_dir" in caught.value.remedy


def test_wrong_file_on_server_raises_data_error(server: Path, tmp_path: Path) -> None:
    for path in write_idx_folder(server, gz=True).iterdir():
        path.write_bytes(b"<html>moved</html>")
    with pytest.raises(DataError, match="`mnist` could not be downloaded and prepared"):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))


@pytest.fixture(scope="module")
def no_retry_delay() -> Iterator[None]:
    """Remove the delay between urllib3's ten attempts, more than three minutes in all.

    The fixture has module scope, because three other downloads continue after the first has failed.
    """
    import urllib3.util.retry

    class NoDelay:
        """Replaces the module `time`."""

        @staticmethod
        def sleep(seconds: float) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.util.retry, "time", NoDelay)
        yield


@pytest.mark.usefixtures("no_retry_delay")
def test_refused_connection_raises_data_error(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow_datasets.image_classification import mnist

    monkeypatch.setattr(mnist.MNIST, "URL", "http://127.0.0.1:9/")  # the discard port: no process listens
    with pytest.raises(DataError, match=r"could not be downloaded.*127\.0\.0\.1"):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert not list(server.iterdir())


def test_unprepared_set_without_download_raises_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not prepared in .*, and download is false"):
        load(TfdsSource(name="mnist", data_dir=tmp_path, download=False))


def test_misspelled_name_suggests_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data set named `mnits`") as caught:
        load(TfdsSource(name="mnits", data_dir=tmp_path))
    assert caught.value.remedy == "did you mean `mnist`?"


def test_unknown_variant_raises_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no `emnist/digit`"):
        load(TfdsSource(name="emnist/digit", data_dir=tmp_path))


def test_set_without_images_raises_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`iris` is not an image-classification set"):
        load(TfdsSource(name="iris", data_dir=tmp_path, download=False))

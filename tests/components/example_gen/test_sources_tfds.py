"""The tfds source: tensorflow-datasets downloads from a local HTTP server and prepares the data set."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

from components.base.component import Context
from components.base.errors import ConfigError, DataError, ResourceError, TerminationError
from components.example_gen.sources import TfdsSource, download
from components.testing import SourceContract
from job.signals import Signals
from tests.conftest import Command
from tests.support.cases import parametrize_sample
from tests.support.data import load, squares, write_idx_folder
from tests.support.processes import REPOSITORY, wait_until

TRAIN, TEST = 300, 100
"""tensorflow-datasets expects 60,000 and 10,000 images; the tests reduce these numbers."""


class Server:
    """The download server of MNIST."""

    behavior = "serves"

    def __init__(self, folder: Path, set_url: Callable[[str], None]) -> None:
        self.folder, self.set_url = folder, set_url
        self.url = ""
        self.closing = threading.Event()


class Handler(SimpleHTTPRequestHandler):
    """Serves the folder of a Server, or does what its behavior says."""

    def __init__(self, server: Server, *args: Any) -> None:
        self.of = server
        super().__init__(*args, directory=str(server.folder))

    def do_GET(self) -> None:
        if self.of.behavior == "serves":
            self.path = urlsplit(self.path).path  # a proxy receives the whole address
            super().do_GET()
            return
        if self.of.behavior != "sends nothing":
            self.send_response(429 if self.of.behavior == "is overloaded" else 200)
            self.end_headers()
            for _ in range(12 if self.of.behavior == "drips" else 1):
                self.wfile.write(bytes(8192))  # as many as tensorflow-datasets reads at once
                self.of.closing.wait(0.4)
        if self.of.behavior != "drips":
            self.of.closing.wait()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve a folder on the loopback interface, and set it as the download server of MNIST."""
    from components.runtime.tensorflow import import_tensorflow

    import_tensorflow()
    from tensorflow_datasets.image_classification import mnist

    server = Server(tmp_path / "served", partial(monkeypatch.setattr, mnist.MNIST, "URL"))
    server.folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, server)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/"
        server.set_url(server.url)
        monkeypatch.setattr(mnist, "_TRAIN_EXAMPLES", TRAIN)
        monkeypatch.setattr(mnist, "_TEST_EXAMPLES", TEST)
        yield server
        server.closing.set()
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def no_retry_delay() -> Iterator[None]:
    """Remove the delay between urllib3's ten attempts, more than three minutes in all.

    The fixture has module scope, because downloads continue in their threads after a test.
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


def test_downloads_prepares_and_reads(server: Server, tmp_path: Path) -> None:
    write_idx_folder(server.folder, train=TRAIN, test=TEST, gz=True)
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

    before = modification_times(tmp_path / "prepared")
    again = load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared", download=False))
    np.testing.assert_array_equal(again.train.images, dataset.train.images)
    small = load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared", size=14))
    assert small.train.images.shape == (TRAIN, 14, 14)
    assert modification_times(tmp_path / "prepared") == before, "a prepared folder may be read-only"

    check_damaged_files(tmp_path / "prepared", ["byte 50", "a record is missing"])
    check_special_file(tmp_path / "prepared")
    (described,) = (tmp_path / "prepared").glob("**/dataset_info.json")
    described.write_text(described.read_text().replace('"fileFormat": "tfrecord"', '"fileFormat": "riegeli"'))
    with pytest.raises(ConfigError, match="is stored as riegeli") as caught:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert caught.value.expected.startswith("TFRecord files")


FASHION_CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag"]
FASHION_CLASSES += ["Ankle boot"]
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def cifar10(server: Server, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    """Serve 600 generated images as the original files of CIFAR-10; return the 500 that are for training."""
    from tensorflow_datasets.image_classification import cifar

    labels = np.arange(600) % 10
    images = np.random.default_rng(0).integers(0, 256, (600, 32, 32, 3), dtype=np.uint8)
    rows = np.concatenate([labels[:, None].astype(np.uint8), images.transpose(0, 3, 1, 2).reshape(600, -1)], axis=1)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    files = {name: rows[100 * place : 100 * (place + 1)].tobytes() for place, name in enumerate(names)}
    files["batches.meta.txt"] = "\n".join([*CIFAR10_CLASSES, ""]).encode()
    with tarfile.open(server.folder / "cifar-10-binary.tar.gz", "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    original: Any = cifar.Cifar10._cifar_info
    url = f"{server.url}cifar-10-binary.tar.gz"
    monkeypatch.setattr(cifar.Cifar10, "_cifar_info", property(lambda self: original.fget(self)._replace(url=url)))
    return images[:500]


def test_cifar10_has_color_and_the_names_of_its_classes(cifar10: NDArray[np.uint8], tmp_path: Path) -> None:
    source = TfdsSource(name="cifar10", data_dir=tmp_path / "prepared")
    first, again = load(source), load(source)
    assert first.class_names == again.class_names == tuple(CIFAR10_CLASSES)
    assert first.test is not None
    assert first.test.images.shape == (100, 32, 32, 3)
    label_of = {image.tobytes(): number % 10 for number, image in enumerate(cifar10)}
    assert [label_of[image.tobytes()] for image in first.train.images] == first.train.labels.tolist()


@pytest.mark.thorough
class TestPreparedSet(SourceContract):
    """A data set that is in no catalogue."""

    @classmethod
    def make_source(cls, folder: Path) -> Any:
        import tensorflow as tf
        import tensorflow_datasets as tfds

        images, labels = squares(40, size=8)
        records = tf.data.Dataset.from_tensor_slices
        label = tfds.features.ClassLabel(num_classes=10)
        features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(8, 8, 1)), "label": label})
        parts = {"train": slice(30), "test": slice(30, None)}
        splits = {
            name: records({"image": images[part, ..., None], "label": labels[part]}) for name, part in parts.items()
        }
        tfds.dataset_builders.store_as_tfds_dataset(
            "mine", version="1.0.0", features=features, split_datasets=splits, data_dir=folder
        )
        return {"kind": "tfds", "name": "mine", "data_dir": str(folder), "download": False}


@pytest.mark.thorough
@pytest.mark.usefixtures("cifar10")
@pytest.mark.parametrize(
    ("preset", "shape", "names"),
    [("cifar10", [32, 32, 3], CIFAR10_CLASSES), ("fashion-mnist", [28, 28, 1], FASHION_CLASSES)],
)
def test_preset_runs_on_data_of_the_same_shape(
    preset: str,
    shape: list[int],
    names: list[str],
    server: Server,
    tmp_path: Path,
    mnist_job: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tensorflow_datasets.image_classification import mnist

    monkeypatch.setattr(mnist.FashionMNIST, "URL", server.url)
    write_idx_folder(server.folder, train=TRAIN, test=TEST, gz=True)
    data = f"example_gen.source.data_dir={tmp_path / 'prepared'}"
    shorter = ("--set", "trainer.epochs=1", "--set", "evaluator.thresholds.accuracy.minimum=0.0")
    config, root = REPOSITORY / "configs" / f"{preset}.yaml", tmp_path / "root"
    result = mnist_job("run", "--config", config, "--root", root, "--set", data, *shorter)
    assert result.exit_code == 0, result.stderr
    manifest = json.loads((root / "runs" / "latest" / "example_gen" / "manifest.json").read_text())
    examples = manifest["artifact"]
    assert (examples["image_shape"], examples["class_names"]) == (shape, names)


def modification_times(folder: Path) -> dict[Path, int]:
    """Return when each file and folder last changed; a lock file changes its folder, also if it is deleted."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.thorough
def test_damage_of_each_part_of_a_file_is_found(server: Server, tmp_path: Path) -> None:
    write_idx_folder(server.folder, train=TRAIN, test=TEST, gz=True)
    load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    check_damaged_files(tmp_path / "prepared", [f"byte {at}" for at in (0, 9)] + ["last byte", "cut off", "empty"])


def check_special_file(prepared: Path) -> None:
    """Replace a TFRecord file by a FIFO, which TensorFlow would read forever."""
    (path,) = prepared.glob("mnist/*/*test.tfrecord*")
    content = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="is a FIFO"):
        load(TfdsSource(name="mnist", data_dir=prepared, download=False))
    path.unlink()
    path.write_bytes(content)


def check_damaged_files(prepared: Path, kinds: list[str]) -> None:
    """Damage a TFRecord file in several ways, and check that the error names the file."""
    (path,) = prepared.glob("mnist/*/*test.tfrecord*")
    intact = path.read_bytes()
    length = 12 + int.from_bytes(intact[:8], "little") + 4  # length, its checksum, the record, its checksum
    places = {"byte 0": 0, "byte 9": 9, "byte 50": 50, "last byte": length - 1}
    damaged = {name: intact[:at] + bytes([intact[at] ^ 4]) + intact[at + 1 :] for name, at in places.items()}
    damaged |= {"cut off": intact[:-10], "a record is missing": intact[length:], "empty": b""}
    for damage in kinds:
        path.write_bytes(damaged[damage])
        with pytest.raises(DataError, match=f"the prepared `mnist` cannot be read: {path}: [a-z]") as caught:
            load(TfdsSource(name="mnist", data_dir=prepared, download=False))
        assert caught.value.exit_code == 3, damage
        assert "Op:" not in caught.value.headline
    path.write_bytes(intact)


def test_missing_file_on_server_raises_data_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`mnist` could not be downloaded.*404") as caught:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert not list(server.folder.iterdir())
    assert "data_dir" in caught.value.remedy


def test_wrong_file_on_server_raises_data_error(server: Server, tmp_path: Path) -> None:
    for path in write_idx_folder(server.folder, gz=True).iterdir():
        path.write_bytes(b"<html>moved</html>")
    with pytest.raises(DataError, match="`mnist` could not be downloaded and prepared"):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))


def test_unreachable_server_exits_with_5_and_names_other_data(server: Server, tmp_path: Path) -> None:
    server.set_url("http://127.0.0.1:9/")  # the discard port: no process listens
    with pytest.raises(ResourceError, match=r"could not be downloaded: .*127\.0\.0\.1") as caught:
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert caught.value.exit_code == 5
    assert "kind: idx" in caught.value.remedy
    assert "the preset `digits`" in caught.value.remedy


@parametrize_sample(1, "behavior", ["sends nothing", "stops in the middle", "is overloaded"])
def test_server_without_data_exits_with_5(
    server: Server, tmp_path: Path, behavior: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_SILENT_SECONDS", 0.5)
    server.behavior = behavior
    with pytest.raises(ResourceError, match="could not be downloaded: "):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert not list(tmp_path.glob("prepared/**/*incomplete*"))


@pytest.mark.thorough
def test_slow_download_is_not_abandoned(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_SILENT_SECONDS", 3.0)
    server.behavior = "drips"
    with pytest.raises(DataError, match="could not be downloaded and prepared") as caught:  # zeros are no gzip file
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))
    assert caught.value.exit_code == 3


def test_download_that_ends_while_listed_raises_no_error(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / "mnist" / f"{name}.gz.tmp.1" / "part.tmp.2").mkdir(parents=True)
    listed = []
    for folder in download._unfinished(tmp_path, "mnist"):
        listed.append(folder.name)
        if folder.name == "part.tmp.2":
            shutil.rmtree(tmp_path / "mnist")
    assert sorted(listed) == ["images.gz.tmp.1", "labels.gz.tmp.1", "part.tmp.2"]


def test_downloads_through_the_proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.set_url("http://mnist.invalid/")
    with pytest.raises(DataError, match=r"mnist\.invalid.*404"):
        load(TfdsSource(name="mnist", data_dir=tmp_path / "prepared"))


def test_termination_abandons_the_download(server: Server, tmp_path: Path) -> None:
    server.behavior = "sends nothing"
    signals, standard_output = Signals(), sys.stdout
    with signals.installed():
        threading.Timer(0.5, signal.raise_signal, [signal.SIGTERM]).start()
        context = Context(output=tmp_path, termination=signals)
        with pytest.raises(TerminationError):
            TfdsSource(name="mnist", data_dir=tmp_path / "prepared").load(context, tmp_path)
    assert sys.stdout is standard_output
    assert not list(tmp_path.glob("prepared/**/*incomplete*"))


@pytest.mark.thorough
@pytest.mark.parametrize("terminated", [False, True])
def test_process_ends_while_downloads_retry(tmp_path: Path, terminated: bool) -> None:
    config = tmp_path / "config.yaml"
    source = {"kind": "tfds", "data_dir": str(tmp_path)}
    config.write_text(json.dumps({"example_gen": {"source": source}}))
    command = [sys.executable, "-m", "job", "run", "--config", str(config), "--root", str(tmp_path / "output")]
    environment = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        if terminated:
            wait_until(lambda: any(tmp_path.glob("downloads/**/*.tmp.*")), lambda: "no download began", seconds=60)
            job.terminate()
        output, errors = job.communicate(timeout=120)
    assert job.returncode == (143 if terminated else 5), errors
    assert ("interrupted after " if terminated else "failed after ") in output
    assert ("the job was interrupted" if terminated else "`mnist` could not be downloaded: HTTPS") in errors


def test_unprepared_set_without_download_raises_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not prepared in .*, and download is false"):
        load(TfdsSource(name="mnist", data_dir=tmp_path, download=False))


def test_every_description_of_a_prepared_set_is_in_its_identity(tmp_path: Path) -> None:
    descriptions = [tmp_path / "mine" / variant / "1.0.0" / "dataset_info.json" for variant in ("one", "two")]
    source = TfdsSource(name="mine", data_dir=tmp_path, download=False)
    for path in descriptions:
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    before = source.identity()
    for path in descriptions:
        path.write_text(f'{{"changed": "{path}"}}')
        assert source.identity() != before
        before = source.identity()


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


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("sizes", "channels", "conversion"),
    [
        ([(20, 30), (40, 10)], 3, "resized from 2 sizes, 40x10 to 20x30, to 12x12"),
        ([(16, 16)], 4, "resized from 16x16 to 12x12"),
    ],
)
def test_reads_color_and_states_the_sizes_before(
    tmp_path: Path, sizes: list[tuple[int, int]], channels: int, conversion: str
) -> None:
    import tensorflow_datasets as tfds

    shape = (*(sizes[0] if len(sizes) == 1 else (None, None)), channels)
    features = {"image": tfds.features.Image(shape=shape), "label": tfds.features.ClassLabel(num_classes=2)}
    images = [np.zeros((*size, channels), np.uint8) for size in sizes * 4]
    for image in images:
        image[..., 1:] = 200, *[255] * (channels - 2)
    examples = [(row, {"image": image, "label": row % 2}) for row, image in enumerate(images)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="pictures",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": examples},
        disable_shuffling=True,
    )
    source = TfdsSource(name="pictures", data_dir=tmp_path, download=False, size=12)
    dataset = source.load(Context(output=tmp_path), tmp_path / "scratch")
    (read,) = dataset.train.images.chunks()
    np.testing.assert_array_equal(read, np.broadcast_to([0, 200, 255], (len(images), 12, 12, 3)))
    assert dataset.train.images.conversion.describe(12, 12) == conversion

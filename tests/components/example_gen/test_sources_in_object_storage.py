"""Sources in object storage: the same identity and artifact as the same files on a disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import Context
from components.base.errors import DataError
from components.base.hashing import file_sha256
from components.example_gen import ExampleGen, ExampleGenConfig
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.cases import parametrize_sample
from tests.support.data import WarningRecorder, squares, write_csv, write_idx_folder, write_image_folder
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_data import put, remove, upload
from tests.support.object_servers import Bucket


def write_shards(folder: Path) -> Path:
    """Write Parquet files of three splits."""
    (folder / "data").mkdir(parents=True)
    for seed, name in enumerate(("train", "test", "validation")):
        images, labels = squares(30, classes=3, size=8, seed=seed)
        table = pa.table({"image": images.tolist(), "label": labels})
        pq.write_table(table, folder / "data" / f"{name}-00000-of-00001.parquet")
    return folder


def idx(folder: Path) -> dict[str, Any]:
    write_idx_folder(folder / "mnist", train=140, test=60)
    return {"kind": "idx", "path": "mnist"}


def compressed_idx(folder: Path) -> dict[str, Any]:
    write_idx_folder(folder / "mnist", train=140, test=60, gz=True)
    return {"kind": "idx", "path": "mnist"}


def csv(folder: Path) -> dict[str, Any]:
    for seed, name in enumerate(("train.csv", "test.csv")):
        write_csv(folder / name, seed=seed)
    return {"kind": "csv", "path": "train.csv", "test_path": "test.csv"}


def image_folder(folder: Path) -> dict[str, Any]:
    for name in ("train", "test"):
        write_image_folder(folder / "pictures" / name)
    (folder / "pictures" / "train" / "notes.txt").write_text("skipped")
    return {"kind": "image_folder", "path": "pictures/train", "test_path": "pictures/test", "size": 8}


def parquet(folder: Path) -> dict[str, Any]:
    write_shards(folder / "shards")
    return {"kind": "parquet", "path": "shards"}


def parquet_file(folder: Path) -> dict[str, Any]:
    write_shards(folder / "shards")
    return {"kind": "parquet", "path": "shards/data/train-00000-of-00001.parquet"}


def parquet_pattern(folder: Path) -> dict[str, Any]:
    write_shards(folder / "shards")
    return {"kind": "parquet", "path": "shards/data/tr*.parquet", "test_path": "shards/*/test-*.parquet"}


def example_gen(section: dict[str, Any], place: str) -> ExampleGen:
    """Return the component with the paths of a section below a place."""
    source = {key: f"{place}/{value}" if key in ("path", "test_path") else value for key, value in section.items()}
    return ExampleGen(ExampleGenConfig.model_validate({"source": source}))


def run(component: ExampleGen, output: Path) -> tuple[dict[str, str], list[str]]:
    """Run the component; return the digest of each file, and the warnings."""
    output.mkdir()
    progress = WarningRecorder()
    artifact = component.run(Context(output=output, progress=progress))
    files = {path.relative_to(output).as_posix(): file_sha256(path) for path in output.rglob("*") if path.is_file()}
    return files | {"": artifact.model_dump_json()}, progress.warnings


@parametrize_sample(
    2,
    "write",
    [idx, compressed_idx, csv, image_folder, parquet, parquet_file, parquet_pattern],
    ids=lambda f: f.__name__,
)
def test_gives_the_same_artifact_as_local_files(
    s3: Bucket, tmp_path: Path, write: Callable[[Path], dict[str, Any]]
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    section = write(folder)
    upload(s3, folder, "sets")
    local, remote = example_gen(section, str(folder)), example_gen(section, f"{s3.url}/sets")
    assert remote.identity() == local.identity()
    files, warnings = run(local, tmp_path / "local")
    expected = [text.replace(str(folder), f"{s3.url}/sets") for text in warnings]
    assert run(remote, tmp_path / "remote") == (files, expected)


def test_azure_gives_the_same_identity_as_local_files(azurite: Bucket, tmp_path: Path) -> None:
    section = idx(tmp_path)
    upload(azurite, tmp_path / "mnist", "mnist")
    assert example_gen(section, azurite.url).identity() == example_gen(section, str(tmp_path)).identity()


def test_its_config_survives_json(s3: Bucket) -> None:
    config = example_gen({"kind": "idx", "path": "mnist"}, s3.url).config
    assert ExampleGenConfig.model_validate_json(config.model_dump_json()) == config


def test_downloads_only_the_files_that_it_reads(s3: Bucket, tmp_path: Path, s3_proxy: FaultyProxy) -> None:
    section = parquet(tmp_path)
    upload(s3, tmp_path / "shards", "shards")
    component = example_gen(section, s3.url)
    component.identity()
    assert not s3_proxy.count("GET", "/validation-")
    assert s3_proxy.count("GET", "/train-") == s3_proxy.count("GET", "/test-") == 1


def test_a_run_lists_the_store_once(s3: Bucket, tmp_path: Path, s3_proxy: FaultyProxy) -> None:
    section = idx(tmp_path)
    upload(s3, tmp_path / "mnist", "mnist")
    component = example_gen(section, s3.url)
    component.identity()
    s3_proxy.plan()
    run(component, tmp_path / "output")
    assert len(s3_proxy.requests) == 1


def test_changed_object_changes_the_identity(s3: Bucket, tmp_path: Path) -> None:
    section = csv(tmp_path)
    for name in ("train.csv", "test.csv"):
        upload(s3, tmp_path / name, name)
    component = example_gen(section, s3.url)
    before = component.identity()
    upload(s3, write_csv(tmp_path / "other.csv", seed=7), "test.csv")
    after = component.identity()
    assert before["source"]["train"] == after["source"]["train"]
    assert before["source"]["test"] != after["source"]["test"]


def test_errors_name_the_object(s3: Bucket, tmp_path: Path) -> None:
    section = compressed_idx(tmp_path)
    upload(s3, tmp_path / "mnist", "mnist")
    put(s3, "mnist/train-images-idx3-ubyte.gz", (tmp_path / "mnist/train-images-idx3-ubyte.gz").read_bytes()[:-9])
    component = example_gen(section, s3.url)
    with pytest.raises(DataError, match=f"^{s3.url}/mnist/train-images-idx3-ubyte.gz is a broken gzip file"):
        run(component, tmp_path / "output")
    remove(s3, "mnist/train-labels-idx1-ubyte.gz")
    with pytest.raises(DataError, match=f"^{s3.url}/mnist has no train-labels-idx1-ubyte"):
        component.identity()


def test_object_in_place_of_a_folder_is_reported_as_locally(s3: Bucket, tmp_path: Path) -> None:
    put(s3, "mnist", b"content")
    (tmp_path / "mnist").write_bytes(b"content")
    messages = []
    for place in (str(tmp_path), s3.url):
        with pytest.raises(DataError) as caught:
            example_gen({"kind": "idx", "path": "mnist"}, place).identity()
        messages.append(str(caught.value).replace(place, ""))
    assert messages[0] == messages[1]


def test_run_reuses_and_notices_changed_data(
    s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, write_config: WriteConfig, mnist_job: Command
) -> None:
    upload(s3, write_idx_folder(tmp_path / "mnist", train=140, test=60), "mnist")
    config = write_config({**FAKES, "example_gen": {"source": {"kind": "idx", "path": f"{s3.url}/mnist"}}})
    command = ["run", "--config", config, "--root", tmp_path / "root", "--until", "example_gen", "--json"]
    outcomes, requests = [], []
    for train in (140, 140, 150):
        upload(s3, write_idx_folder(tmp_path / "mnist", train=train, test=60), "mnist")
        s3_proxy.plan()
        step, *_ = mnist_job(*command).record["steps"]
        outcomes.append(step["status"])
        requests.append(len(s3_proxy.requests))
    assert outcomes == ["ran", "reused", "ran"]
    assert requests[1] == 1, "a list: the ETags of the same content are the same"
    assert f"{s3.url}/mnist" in json.dumps(mnist_job(*command).record["config"])


def test_missing_source_exits_with_3(s3: Bucket, tmp_path: Path, write_config: WriteConfig, mnist_job: Command) -> None:
    config = write_config({**FAKES, "example_gen": {"source": {"kind": "idx", "path": f"{s3.url}/mnist"}}})
    result = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert result.exit_code == 3
    assert f"{s3.url}/mnist does not exist" in result.stderr

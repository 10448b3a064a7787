"""Copies of objects have the names of all, the content of those that are needed, and the present version."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import DataError, StorageError
from components.object_storage import ObjectUrl, local_copies, open_local, transfers_reported_to
from components.object_storage.objects import OnBytes
from components.object_storage.settings import StorageSettings, configure_storage, storage_settings
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.object_data import put, put_folder, remove
from tests.support.object_servers import Bucket
from tests.support.processes import REPOSITORY


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def fetched(url: str, *wanted: str) -> dict[str, bytes]:
    """Return the content of some files of a copy, in a separate block."""
    with local_copies():
        local = open_local(ObjectUrl.parse(url))
        local.fetch([local.path / name for name in wanted])
        return {name: (local.path / name).read_bytes() for name in wanted}


def test_local_files_are_used_in_place(tmp_path: Path) -> None:
    local = open_local(tmp_path)
    local.fetch([tmp_path / "a"])
    assert local.path == tmp_path


def test_copy_has_all_names_and_the_content_of_those_fetched(bucket: Bucket) -> None:
    for key in ("set/a/1", "set/a/2", "set/b/c/3", "set/4", "setting/5"):
        put(bucket, key, key.encode())
    with local_copies():
        local = open_local(ObjectUrl.parse(f"{bucket.url}/set"))
        assert names(local.path) == ["4", "a", "a/1", "a/2", "b", "b/c", "b/c/3"]
        local.fetch([local.path / "a/2", local.path / "b/c/3"])
        assert (local.path / "a/2").read_bytes() == b"set/a/2"
        assert (local.path / "b/c/3").read_bytes() == b"set/b/c/3"
        with pytest.raises(FileNotFoundError):
            (local.path / "a/1").read_bytes()


def test_one_object_is_a_file_of_the_same_name(bucket: Bucket) -> None:
    for name in ("set/train.csv", "set/plain", "top.csv"):
        put(bucket, name, name.encode())
        with local_copies():
            path = open_local(ObjectUrl.parse(f"{bucket.url}/{name}")).path
            assert (path.name, path.read_bytes()) == (name.rpartition("/")[2], name.encode())


def test_downloads_again_only_what_has_changed(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    for name in ("a", "b", "c"):
        put(s3, f"set/{name}", b"old")
    fetched(f"{s3.url}/set", "a", "b")
    put(s3, "set/a", b"new")
    before = len(s3_proxy.requests)
    assert fetched(f"{s3.url}/set", "a", "b") == {"a": b"new", "b": b"old"}
    assert len(s3_proxy.requests) == before + 2, "one list, and one download"


def test_changed_object_of_a_file_is_downloaded_again(s3: Bucket) -> None:
    for content in (b"old", b"new"):
        put(s3, "train.csv", content)
        with local_copies():
            assert open_local(ObjectUrl.parse(f"{s3.url}/train.csv")).path.read_bytes() == content


def test_deleted_and_renamed_objects_have_no_names(s3: Bucket) -> None:
    for key in ("set/a", "set/b/1", "set/c/1"):
        put(s3, key, b"old")
    fetched(f"{s3.url}/set", "a", "b/1")
    remove(s3, "set/a", "set/b/1", "set/c/1")
    put(s3, "set/a/1", b"a folder now")
    put(s3, "set/c", b"a file now")
    with local_copies():
        assert names(open_local(ObjectUrl.parse(f"{s3.url}/set")).path) == ["a", "a/1", "c"]


def test_damaged_file_of_the_cache_is_downloaded_again(s3: Bucket) -> None:
    put(s3, "set/a", b"content")
    fetched(f"{s3.url}/set", "a")
    [file] = storage_settings().cache_folder.glob("data/*/files/a")
    file.write_bytes(b"cont")
    assert fetched(f"{s3.url}/set", "a") == {"a": b"content"}


def test_tags_survive_a_line_that_was_not_completed(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    put(s3, "set/a", b"content")
    fetched(f"{s3.url}/set", "a")
    [tags] = storage_settings().cache_folder.glob("data/*/tags.jsonl")
    tags.write_text(tags.read_text() + '["b", "x')
    before = len(s3_proxy.requests)
    assert fetched(f"{s3.url}/set", "a") == {"a": b"content"}
    assert len(s3_proxy.requests) == before + 1, "only the list"


def test_a_block_uses_one_state_of_the_store(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    put(s3, "set/a", b"content")
    with local_copies():
        first = open_local(ObjectUrl.parse(f"{s3.url}/set"))
        count = len(s3_proxy.requests)
        with local_copies():
            assert open_local(ObjectUrl.parse(f"{s3.url}/set")) is first
    assert len(s3_proxy.requests) == count


@pytest.mark.parametrize("name", ["nothing", "nothing.csv", "set/empty"])
def test_missing_data_are_one_sentence(s3: Bucket, name: str) -> None:
    put_folder(s3, "set/empty")
    with pytest.raises(DataError) as caught, local_copies():
        open_local(ObjectUrl.parse(f"{s3.url}/{name}"))
    assert caught.value.headline == f"{s3.url}/{name} does not exist"


def test_downloads_are_reported(s3: Bucket) -> None:
    for name in ("a", "b"):
        put(s3, f"set/{name}", b"content")
    reports: list[Any] = []

    class Listener:
        @contextmanager
        def transfer(self, text: str, *, files: int, size: int) -> Iterator[OnBytes]:
            reports.append((text, files, size))
            yield reports.append

    with transfers_reported_to(Listener()):
        fetched(f"{s3.url}/set", "a", "b")
        fetched(f"{s3.url}/set", "a", "b")
    first, *counts = reports
    assert first == (f"downloading from {s3.url}/set", 2, 14)
    assert sum(counts) == 14


def test_empty_objects_of_consoles_are_folders(s3: Bucket) -> None:
    for key in ("set", "set/7", "set/8"):
        put_folder(s3, key)
    put(s3, "set/7/1.png", b"content")
    with local_copies():
        local = open_local(ObjectUrl.parse(f"{s3.url}/set"))
        assert names(local.path) == ["7", "7/1.png", "8"]
        assert (local.path / "8").is_dir()


def test_object_that_cannot_be_a_file_is_reported(s3: Bucket) -> None:
    put(s3, "set/a", b"content")
    put(s3, "set/a/1", b"content")
    with pytest.raises(DataError, match=f"{s3.url}/set/a is both an object and a folder"), local_copies():
        open_local(ObjectUrl.parse(f"{s3.url}/set"))


def test_errors_name_the_object(s3: Bucket) -> None:
    put(s3, "set/a", b"content")
    with pytest.raises(DataError) as caught, local_copies():
        path = open_local(ObjectUrl.parse(f"{s3.url}/set")).path / "a"
        raise DataError(f"{path} is damaged", remedy=f"correct {path}")
    assert str(caught.value) == f"{s3.url}/set/a is damaged\n  remedy:   correct {s3.url}/set/a"


def test_object_that_is_deleted_after_the_list_is_reported(s3: Bucket) -> None:
    put(s3, "set/a", b"content")
    with pytest.raises(DataError) as caught, local_copies():
        local = open_local(ObjectUrl.parse(f"{s3.url}/set"))
        remove(s3, "set/a")
        local.fetch([local.path / "a"])
    assert caught.value.headline == f"{s3.url}/set/a does not exist"
    assert caught.value.remedy == "run the same command again"


@pytest.fixture
def small_cache(s3: Bucket) -> None:  # noqa: ARG001  (which removes the settings of other tests)
    """Set a limit of the cache for two files of 40 bytes."""
    configure_storage(StorageSettings(max_cache_bytes=100))


@pytest.mark.usefixtures("small_cache")
def test_full_cache_evicts_copies_that_are_not_in_use(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    for name in ("one", "two", "three"):
        put(s3, f"{name}/file", name.ljust(40).encode())
    for name in ("one", "two", "three", "one"):
        assert fetched(f"{s3.url}/{name}", "file") == {"file": name.ljust(40).encode()}
    assert s3_proxy.count("GET", "/one/file") == 2


@pytest.mark.usefixtures("small_cache")
def test_full_cache_keeps_copies_in_use(s3: Bucket) -> None:
    for name in ("one", "two", "three"):
        put(s3, f"{name}/file", name.ljust(40).encode())
    with local_copies():
        paths = [open_local(ObjectUrl.parse(f"{s3.url}/{name}/file")).path for name in ("one", "two")]
        with pytest.raises(StorageError, match="no room for 40 bytes in the cache"):
            open_local(ObjectUrl.parse(f"{s3.url}/three/file"))
        assert [path.read_bytes() for path in paths] == [b"one".ljust(40), b"two".ljust(40)]


FETCH = """
import sys
from pathlib import Path
from components.object_storage import ObjectUrl, local_copies, open_local
from components.object_storage import local_copy
local_copy.BATCH_FILES = 4
with local_copies():
    local = open_local(ObjectUrl.parse(sys.argv[1]))
    local.fetch(sorted(local.path.iterdir()))
    print(*(path.read_text() for path in sorted(local.path.iterdir())), flush=True)
"""


def start_fetch(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", FETCH, url], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


@pytest.mark.thorough
@pytest.mark.parametrize("request_number", [1, 2, 5, 6, 9, 12])
def test_killed_download_is_continued(s3: Bucket, s3_proxy: FaultyProxy, request_number: int) -> None:
    for number in range(12):
        put(s3, f"set/{number:02}", str(number).encode())
    with start_fetch(f"{s3.url}/set") as process:
        s3_proxy.plan(Fault("reset", skip=request_number - 1, call=lambda _: process.kill()))
        assert process.wait(60) == -signal.SIGKILL
    time.sleep(1)  # until the proxy has counted the last requests of the killed process
    s3_proxy.plan()
    assert fetched(f"{s3.url}/set", *(f"{number:02}" for number in range(12))) == {
        f"{number:02}": str(number).encode() for number in range(12)
    }
    assert s3_proxy.count("GET") <= 13 - 4 * ((request_number - 2) // 4), "the files of a whole batch are kept"


@pytest.mark.thorough
def test_two_processes_download_once(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    for number in range(12):
        put(s3, f"set/{number:02}", str(number).encode())
    s3_proxy.plan()
    processes = [start_fetch(f"{s3.url}/set") for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert output.split() == [str(number) for number in range(12)]
    assert s3_proxy.count("GET", "/set/") == 12

"""The local cache is bounded, and evicts the least recently used item that is not in use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.base.errors import ConfigError, StorageError
from components.object_storage.cache import Cache


def fill(cache: Cache, path: str, *, size: int = 40, used: float = 0) -> Path:
    """Add an item with one file and a manifest, last used at a time."""
    with cache.use(path) as folder:
        cache.reserve(path, size, keep=["manifest.json"])
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"x" * size)
        (folder / "manifest.json").write_text("{}")
    if used:
        record = next(file for file in cache.folder.glob("items/*.json") if f'"{path}"' in file.read_text())
        os.utime(record, (used, used))
    return folder


def test_evicts_the_item_unused_for_the_longest_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=100)
    first, second = fill(cache, "a/1", used=2e9), fill(cache, "a/2", used=1e9)
    fill(cache, "b/3")
    assert (first / "data").exists()
    assert [file.name for file in second.iterdir()] == ["manifest.json"]


def test_using_an_item_makes_it_the_last_to_be_evicted(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=100)
    first, second = fill(cache, "1", used=1e8), fill(cache, "2", used=1e9)
    with cache.use("1"):
        pass
    fill(cache, "3")
    assert (first / "data").exists()
    assert not (second / "data").exists()


def test_an_item_in_use_is_kept_until_its_process_dies(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=100)
    item = fill(cache, "1", used=1e9)
    script = (
        "import sys; from pathlib import Path; from components.object_storage.cache import Cache\n"
        "with Cache(Path(sys.argv[1]), max_bytes=100).use('1'): print('in use', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in use\n"
        with pytest.raises(StorageError, match="40 bytes are in use of 100 bytes"):
            cache.reserve("2", 80)
        assert (item / "data").exists()
        process.kill()
    cache.reserve("2", 80)
    assert not (item / "data").exists()


def test_a_reserved_item_counts_before_its_files_are_written(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=100)
    with cache.use("1"), cache.use("2"):
        cache.reserve("1", 60)
        with pytest.raises(StorageError, match="no room for 60 bytes"):
            cache.reserve("2", 60)
        cache.reserve("2", 40)


def test_a_full_disk_evicts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path, max_bytes=10**9)
    item = fill(cache, "1")
    data, module = item / "data", "components.object_storage.cache"
    monkeypatch.setattr(f"{module}.free_bytes", lambda _: 0 if data.exists() else 10**9)
    cache.reserve("2", 40)
    assert not data.exists()
    monkeypatch.setattr(f"{module}.free_bytes", lambda _: 0)
    with pytest.raises(StorageError, match="no space for 40 bytes on the disk of the cache"):
        cache.reserve("3", 40)


def test_an_item_is_usable_again_after_its_eviction(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=100)
    fill(cache, "1", used=1e9)
    cache.reserve("2", 100)
    with cache.use("1") as folder:
        assert (folder / "manifest.json").exists()
        with cache.use("1"):  # twice in one process
            cache.reserve("1", 100)
            (folder / "data").write_bytes(b"x" * 100)
    assert len([*tmp_path.glob("items/*.json")]) == 1


def test_a_folder_without_permission_exits_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match="cannot write to the cache"), Cache(tmp_path, max_bytes=1).use("1"):
        pass


STRESS = """
import random, sys
from pathlib import Path
from components.object_storage.cache import Cache

def size(file):
    try:
        return file.stat().st_size
    except FileNotFoundError:  # evicted now
        return 0

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
cache, random = Cache(folder, max_bytes=10_000), random.Random(seed)
for _ in range(30):
    path = f"items-of-all/{random.randrange(12)}"
    with cache.use(path) as item:
        cache.reserve(path, 2_000, keep=["manifest"])
        item.mkdir(parents=True, exist_ok=True)
        (item / "manifest").write_text("kept")
        for name in "ab":
            (draft := item / f".{name}-{seed}").write_bytes(bytes(1_000))
            draft.replace(item / name)
        for _ in range(20):
            assert (item / "a").stat().st_size == 1_000, "evicted in use"
        used = sum(size(file) for file in folder.glob("items-of-all/*/[ab]"))
        assert used <= 10_000, used
print("done")
"""


@pytest.mark.thorough
def test_concurrent_processes_respect_each_other_and_the_limit(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", STRESS, str(tmp_path), str(seed)], stdout=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    assert [process.communicate(timeout=120)[0] for process in processes] == ["done\n"] * 4
    assert len([*tmp_path.glob("items/*.lock")]) <= 5
    assert len([*tmp_path.glob("items-of-all/*/manifest")]) == 12

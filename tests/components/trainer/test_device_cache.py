"""Cache of images on the device: which images it loads, with which bits, and with how much memory."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.inference.split_images import SplitImages
from components.inference.transform_graph import scaling_graph
from components.trainer import device_cache
from components.trainer.device_cache import IMAGES_SHARE, DeviceCache, rows_within_budget
from tests.support.processes import REPOSITORY, environment


def test_loaded_rows_wrap_around_the_end_of_the_split() -> None:
    images = np.arange(7, dtype=np.float32).reshape(7, 1, 1, 1)
    cache = DeviceCache(SplitImages(images, np.arange(7)))
    for start, rows, expected in ((0, 7, [0, 1, 2, 3, 4, 5, 6]), (5, 4, [5, 6, 0, 1]), (2, 3, [2, 3, 4])):
        cache.load_rows(start, rows)
        taken, labels = cache.gather(np.arange(rows))
        assert labels.numpy().tolist() == expected
        assert taken.numpy().reshape(-1).tolist() == expected


def test_worker_loads_only_the_images_of_its_parts() -> None:
    read: list[int] = []

    class Recorded(SplitImages):
        def read_rows(self, rows: Any) -> Any:
            read.extend(rows.tolist())
            return super().read_rows(rows)

    images = np.arange(7, dtype=np.float32).reshape(7, 1, 1, 1)
    cache = DeviceCache(Recorded(images, np.arange(7)), lambda order: order[::2])
    cache.load_rows(5, 4, order=np.array([3, 0, 2, 1]))
    assert sorted(read) == [0, 1], "of the rows 5, 6, 0 and 1"
    taken, labels = cache.gather(np.array([3, 0, 2, 1]))
    assert labels.numpy().tolist() == [1, 5, 0, 6]
    assert taken.numpy().reshape(-1)[::2].tolist() == [1, 0]


def test_budget_is_divided_by_the_sizes_of_the_splits() -> None:
    def split(count: int) -> SplitImages:
        return SplitImages(np.zeros((count, 2, 2, 1), np.float32), np.zeros(count, np.int64))

    assert rows_within_budget(10**6, split(90), split(10))[0] == 90
    fifty_images = int(50 * 16 / IMAGES_SHARE)
    assert rows_within_budget(fifty_images, split(90), split(10)) == (45, 5)
    assert rows_within_budget(1, split(90), split(10))[1] == 1


@pytest.mark.parametrize("own_rows", [None, lambda order: order[::2]], ids=["all", "own"])
def test_loading_in_chunks_keeps_the_bits(monkeypatch: pytest.MonkeyPatch, own_rows: Any) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (23, 4, 4), np.uint8)
    split = SplitImages(raw, np.arange(23), scaling_graph())
    monkeypatch.setattr(device_cache, "CHUNK_BYTES", 3 * 4 * 4 * 4)  # three images
    cache = DeviceCache(split, own_rows)
    for start, rows in ((0, 23), (17, 11), (5, 7)):
        cache.load_rows(start, rows)
        loaded = np.arange(rows)[:: 1 if own_rows is None else 2]
        images, _ = cache.gather(loaded)
        assert images.numpy().tobytes() == split[(start + loaded) % 23].tobytes()


PEAK = """
    import sys
    from pathlib import Path
    import numpy as np
    from components.inference.split_images import SplitImages
    from components.inference.transform_graph import scaling_graph
    from components.trainer.device_cache import DeviceCache

    def status(name):
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    rows = int(sys.argv[1])
    split = SplitImages(np.ones((2 * rows, 28, 28), np.uint8), np.zeros(2 * rows, np.int64), scaling_graph())
    cache = DeviceCache(split)
    cache.load_rows(0, 1)
    before = status("VmRSS")
    for start in (0, rows, 3 * rows // 2):
        cache.load_rows(start, rows)
        cache.gather(np.arange(128))
    print(status("VmHWM") - before)
"""


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux provides the peak memory of a process")
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_loading_needs_memory_for_the_images_only_once(onednn: str) -> None:
    rows = 30_000
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PEAK), str(rows)],
        cwd=REPOSITORY,
        env={**environment(), "TF_ENABLE_ONEDNN_OPTS": onednn},  # its allocator keeps freed memory
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    copies = int(ended.stdout) / (rows * 28 * 28 * 4)
    assert 0.9 < copies < 1.5

"""CPU and memory limits, read from copies of the kernel's control files."""

import os
from pathlib import Path

import pytest

from components.runtime import resources


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(resources, "CGROUP_ROOT", tmp_path)
    monkeypatch.setattr(resources, "SELF_CGROUP", tmp_path / "self")
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    else:
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


@pytest.mark.parametrize(
    ("quota", "threads"),
    [("max 100000", 64), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("6400000 50000", 64)],
)
def test_quotas_of_cgroup_v2_are_rounded_up(cgroup: Path, quota: str, threads: int) -> None:
    write(cgroup / "cpu.max", quota)
    assert resources.cpu_limit() == threads


def test_the_tightest_ancestor_group_counts(cgroup: Path) -> None:
    write(cgroup / "self", "0::/kubepods/pod1/container")
    write(cgroup / "kubepods/pod1/container/cpu.max", "max 100000")
    write(cgroup / "kubepods/pod1/cpu.max", "300000 100000")
    write(cgroup / "kubepods/cpu.max", "800000 100000")
    assert resources.cpu_limit() == 3


def test_quotas_of_cgroup_v1_count(cgroup: Path) -> None:
    write(cgroup / "cpu/cpu.cfs_quota_us", "400000")
    write(cgroup / "cpu/cpu.cfs_period_us", "100000")
    assert resources.cpu_limit() == 4
    write(cgroup / "cpu/cpu.cfs_quota_us", "-1")
    assert resources.cpu_limit() == 64


def test_processors_count_without_control_groups(cgroup: Path) -> None:
    assert not list(cgroup.iterdir())
    assert resources.cpu_limit() == 64
    assert resources.memory_limit() is None


def test_memory_limits_of_both_cgroup_versions(cgroup: Path) -> None:
    write(cgroup / "memory.max", "max")
    assert resources.memory_limit() is None
    write(cgroup / "memory/memory.limit_in_bytes", "9223372036854771712")
    assert resources.memory_limit() is None
    write(cgroup / "memory.max", "2147483648")
    assert resources.memory_limit() == 2 << 30


@pytest.mark.thorough
def test_peak_memory_grows_with_what_is_in_use() -> None:
    before = resources.peak_memory()
    if before is None:
        pytest.skip("this system does not state it")
    assert len(b"1" * 2 * before) > before
    assert (resources.peak_memory() or 0) > 1.5 * before

"""The machine that this process is on, and what it may use of it, as the container allows.

A container's limit is kept by the kernel's control groups (cgroup v2: `cpu.max`, `memory.max`;
v1: `cpu.cfs_quota_us`, `memory.limit_in_bytes`); the host's own counts say nothing of it.
"""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
SELF_CGROUP = Path("/proc/self/cgroup")


def cpu_limit() -> int:
    """Return how many threads of work this process may run at once, at least 1.

    It is the lesser of the CPUs that the process is bound to and the control group's quota,
    rounded up: a quota of 1.5 CPUs is used by two threads.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota()
    return max(1, bound if quota is None else min(bound, math.ceil(quota)))


def memory_limit() -> int | None:
    """Return the control group's memory limit in bytes, or None where there is none."""
    limits = [_number(text) for text in _read("memory.max", "memory/memory.limit_in_bytes")]
    # v1 says "no limit" with a number near 2**63.
    finite = [limit for limit in limits if limit is not None and limit < 1 << 60]
    return min(finite, default=None)


def processor() -> str:
    """Return the processor's name, as well as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  (a line a core: no need for more)
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def _cpu_quota() -> float | None:
    quotas = []
    for text in _read("cpu.max"):
        quota, _, period = text.partition(" ")
        if (allowed := _number(quota)) is not None and (of := _number(period)):
            quotas.append(allowed / of)
    for quota, period in zip(_read("cpu/cpu.cfs_quota_us"), _read("cpu/cpu.cfs_period_us"), strict=False):
        if (allowed := _number(quota)) is not None and allowed > 0 and (of := _number(period)):
            quotas.append(allowed / of)
    return min(quotas, default=None)


def _read(*names: str) -> list[str]:
    """Return the contents of those control files that exist, in the process's group and all above it."""
    texts = []
    for group in _groups():
        for name in names:
            controller, _, file = name.rpartition("/")
            try:
                texts.append((CGROUP_ROOT / controller / group / file).read_text().strip())
            except OSError:
                continue
    return texts


def _groups() -> list[Path]:
    """Return the process's control group and its ancestors, relative to the root.

    In a container the root of the tree is usually the container's own group, whatever
    /proc/self/cgroup says, so the root itself always counts.
    """
    groups = {Path()}
    try:
        lines = SELF_CGROUP.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        path = Path(line.split(":", 2)[-1].lstrip("/"))
        groups.update((path, *path.parents))
    return sorted(groups)


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None  # "max": no limit

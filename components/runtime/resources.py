"""CPU and memory limits of this process.

In a container, the kernel's control groups set the limits (cgroup v2: `cpu.max`, `memory.max`; v1:
`cpu.cfs_quota_us`, `memory.limit_in_bytes`); the counts of the host do not show them.
"""

import math
import os
import platform
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
SELF_CGROUP = Path("/proc/self/cgroup")
SELF_STATUS = Path("/proc/self/status")


def cpu_limit() -> int:
    """Return the number of threads that this process may run at once, at least 1.

    It is the smaller of the number of CPUs that the process is bound to and the control group's quota, rounded up:
    two threads use a quota of 1.5 CPUs.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota()
    return max(1, bound if quota is None else min(bound, math.ceil(quota)))


def memory_limit() -> int | None:
    """Return the control group's memory limit in bytes, or None."""
    limits = [_number(text) for text in _read("memory.max", "memory/memory.limit_in_bytes")]
    # v1 represents "no limit" by a number near 2**63.
    return min((limit for limit in limits if limit is not None and limit < 1 << 60), default=None)


def peak_memory() -> int | None:
    """Return the highest memory of this process so far, its resident set, in bytes; None if it is not known."""
    with suppress(OSError):  # `getrusage` includes the process that started this one
        with open(SELF_STATUS, "rb") as file:  # noqa: PTH123  (read after each step)
            found = re.search(rb"^VmHWM:\s*(\d+) kB$", file.read(), re.MULTILINE)
        return None if found is None else int(found[1]) * 1024
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def processor() -> str:
    """Return the processor's name, or its architecture if the system does not provide the name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  (only the first of many lines is needed)
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def _cpu_quota() -> float | None:
    quotas = []
    v2 = (text.partition(" ")[::2] for text in _read("cpu.max"))
    v1 = zip(_read("cpu/cpu.cfs_quota_us"), _read("cpu/cpu.cfs_period_us"), strict=False)
    for quota, period in (*v2, *v1):
        if (allowed := _number(quota)) is not None and allowed > 0 and (length := _number(period)):
            quotas.append(allowed / length)
    return min(quotas, default=None)


def _read(*names: str) -> list[str]:
    """Return the contents of the control files that exist in the process's group and its ancestors."""
    texts = []
    for group in _groups():
        for name in names:
            controller, _, file = name.rpartition("/")
            with suppress(OSError):
                texts.append((CGROUP_ROOT / controller / group / file).read_text().strip())
    return texts


def _groups() -> list[Path]:
    # In a container, the root of the tree is usually the container's own group, even if SELF_CGROUP names another one.
    groups = {Path()}
    with suppress(OSError):
        for line in SELF_CGROUP.read_text().splitlines():
            path = Path(line.split(":", 2)[-1].lstrip("/"))
            groups.update((path, *path.parents))
    return sorted(groups)


def _number(text: str) -> int | None:
    with suppress(ValueError):
        return int(text)
    return None  # "max": no limit

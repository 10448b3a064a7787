"""CPU time and memory of a process and its descendants, as /proc has them (see `man 5 proc`); 0 except on Linux."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")
PARENT, USER_TICKS, SYSTEM_TICKS, RESIDENT_PAGES = 1, 11, 12, 21
"""Indices of the fields of a `stat` file after the name of the program."""


@dataclass(frozen=True, kw_only=True)
class TreeUsage:
    """Resource use of all processes of a tree that run now.

    Attributes:
        cpu: CPU-seconds since the start of each process.
        own_cpu: CPU-seconds of the first process.
        resident: bytes of memory; pages that several processes share count for each of them.
    """

    cpu: float = 0.0
    own_cpu: float = 0.0
    resident: int = 0


def read_tree(pid: int) -> TreeUsage:
    """Return the resource use of a process and all its descendants."""
    fields: dict[int, list[int]] = {}
    children: dict[int, list[int]] = {}
    for path in PROCESSES.glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        number, values = int(path.parent.name), text.rpartition(") ")[2].split()
        fields[number] = [0, *map(int, values[1:])]
        children.setdefault(fields[number][PARENT], []).append(number)
    tree = [pid]
    for number in tree:
        tree += children.get(number, [])
    present = [fields[number] for number in tree if number in fields]
    ticks = [own[USER_TICKS] + own[SYSTEM_TICKS] for own in present]
    return TreeUsage(
        cpu=sum(ticks) / os.sysconf("SC_CLK_TCK"),
        own_cpu=ticks[0] / os.sysconf("SC_CLK_TCK") if pid in fields else 0.0,
        resident=sum(own[RESIDENT_PAGES] for own in present) * os.sysconf("SC_PAGE_SIZE"),
    )

"""Disturbance: what other programs and other machines on the same processors did during a measurement.

Linux counts the CPU time of all processes, and the time in which the hypervisor gave the processors to other machines
(`steal`). It does not count that another machine uses the second thread of a core: the speed of a fixed computation
shows it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MAX_OTHER_FRACTION = 0.05
"""Of the processors' time that may be used by others in an undisturbed run."""
MIN_SPEED = 0.8
"""Of the fixed computation, compared with the fastest of this benchmark, resumed or not."""
CLOCK_ERROR_SECONDS = 0.02
"""Two ticks of the clock of /proc/stat, for each processor: a short run is not disturbed by rounding."""
MAX_ATTEMPTS = 3
QUIET_SECONDS = 2.0
MAX_WAIT_SECONDS = 60.0
"""For other programs to end before a run."""
COMPUTATION_STEPS = 500_000

STATISTICS = Path("/proc/stat")

Measured = TypeVar("Measured")


def processors() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return [*range(os.cpu_count() or 1)]


@dataclass(frozen=True)
class CpuTimes:
    """CPU-seconds of the processors that this process may use, since the start of the machine; 0 except on Linux."""

    busy: float
    """In other processes than this one."""
    steal: float
    """In which the hypervisor ran other machines."""

    @classmethod
    def now(cls) -> CpuTimes:
        """Read them from /proc/stat (see `man 5 proc`)."""
        if not STATISTICS.exists():
            return cls(busy=0.0, steal=0.0)
        own, busy, steal = {f"cpu{number}" for number in processors()}, 0, 0
        for line in STATISTICS.read_text().splitlines():
            name, *ticks = line.split()
            if name in own:
                user, nice, system, _, _, irq, softirq, stolen = map(int, ticks[:8])
                busy, steal = busy + user + nice + system + irq + softirq, steal + stolen
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        return cls(busy=busy / ticks_per_second - time.process_time(), steal=steal / ticks_per_second)


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """What happened on the machine during a run.

    Attributes:
        load_before: load average of the last minute.
        load_after: the same, after the run.
        other_cpu: CPU-seconds of other processes during the run.
        steal: seconds in which the hypervisor ran other machines during the run, of all processors together.
        speed: of a fixed computation before and after the run, relative to `fastest`; the smaller one.
        seconds: duration of the run.
        fastest: the highest speed of the fixed computation until then, in computations per CPU-second.
    """

    load_before: float
    load_after: float
    other_cpu: float
    steal: float
    speed: float
    seconds: float
    fastest: float

    @property
    def is_disturbed(self) -> bool:
        """Whether the run's times are not those of a quiet machine."""
        allowed = (MAX_OTHER_FRACTION * self.seconds + CLOCK_ERROR_SECONDS) * len(processors())
        return self.other_cpu + self.steal > allowed or self.speed < MIN_SPEED

    def describe(self) -> str:
        """Return one line, such as `load 0.1 to 1.2, others 0.02 CPU-s, steal 0.00 s, speed 0.98`."""
        return (
            f"load {self.load_before:.1f} to {self.load_after:.1f}, others {self.other_cpu:.2f} CPU-s, "
            f"steal {self.steal:.2f} s, speed {self.speed:.2f}"
        )


class Watch:
    """Records what happens on the machine from its creation until `stop`.

    Attributes:
        fastest: the highest speed of the fixed computation that any object has measured.
    """

    fastest = 0.0

    def __init__(self) -> None:
        self._speed = computation_speed()
        self._load = os.getloadavg()[0]
        self._times, self._began = CpuTimes.now(), time.perf_counter()

    def stop(self, own_cpu: float) -> Disturbance:
        """Return the disturbance of a run in another process, which used some CPU-seconds itself."""
        times, seconds = CpuTimes.now(), time.perf_counter() - self._began
        speeds = (self._speed, computation_speed())
        Watch.fastest = max(Watch.fastest, *speeds)
        return Disturbance(
            load_before=self._load,
            load_after=os.getloadavg()[0],
            other_cpu=max(0.0, times.busy - self._times.busy - own_cpu),
            steal=times.steal - self._times.steal,
            speed=min(speeds) / Watch.fastest,
            seconds=seconds,
            fastest=Watch.fastest,
        )


def computation_speed() -> float:
    """Return how often per CPU-second this process performs a fixed computation; the median of five times."""
    times = []
    for _ in range(5):
        began, total = time.process_time(), 0
        for number in range(COMPUTATION_STEPS // 5):
            total += number * number
        times.append(time.process_time() - began)
    return 1 / (5 * statistics.median(times))


def wait_until_quiet() -> None:
    """Wait until other processes use few CPU-seconds, or some time has passed."""
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while time.monotonic() < deadline:
        before = CpuTimes.now()
        time.sleep(QUIET_SECONDS)
        others = CpuTimes.now().busy - before.busy
        if others <= MAX_OTHER_FRACTION * QUIET_SECONDS * len(processors()):
            return


def undisturbed_runs(
    runs: Sequence[Measured], disturbance: Callable[[Measured], Disturbance | None]
) -> Sequence[Measured]:
    """Return the runs whose times count: the undisturbed ones, or all if there are none."""
    return [run for run in runs if not ((found := disturbance(run)) and found.is_disturbed)] or runs


def undisturbed(
    measure: Callable[[], Measured],
    disturbance: Callable[[Measured], Disturbance | None],
    *,
    attempts: int = MAX_ATTEMPTS,
) -> Measured:
    """Repeat a measurement until a run is undisturbed; if none is, return the least disturbed one.

    Args:
        measure: performs the whole run; a second call must not reuse results of the first one.
        disturbance: returns that of a run; None if the run failed, which is not repeated.
        attempts: runs at most; with 1 it does not wait for other programs either.
    """
    runs: list[tuple[float, Measured]] = []
    for _ in range(attempts):
        if attempts > 1:
            wait_until_quiet()
        measured = measure()
        found = disturbance(measured)
        if found is None or not found.is_disturbed:
            return measured
        print(f"disturbed: {found.describe()}", flush=True)
        runs.append((found.other_cpu + found.steal + found.seconds * (1 - found.speed), measured))
    return min(runs, key=lambda run: run[0])[1]

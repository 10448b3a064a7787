"""Cost of a root in object storage: the same runs with a folder, and with an S3 server 20 ms away.

The server and the proxy of `object_store` use processor time of this machine, which the measured processes then lack.
They are a part of the measurement: a run is disturbed only by other programs.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from operator import attrgetter
from pathlib import Path

from tests.benchmarks.disturbance import Disturbance, undisturbed, undisturbed_runs
from tests.benchmarks.measure import ProcessMeasurement, measure_process
from tests.benchmarks.object_store import LATENCY_SECONDS, ObjectStore, Transferred
from tests.benchmarks.programs import FINISHED
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.table import number, print_table
from tests.benchmarks.terminate import terminate_in_training

CACHED = 5
"""Runs that reuse everything."""
RESUMED = "trainer.epochs=3"
"""The run that is terminated after its first epoch."""
FOLDER = "a folder"
S3 = f"S3, {1000 * LATENCY_SECONDS:.0f} ms"


@dataclass(frozen=True, kw_only=True)
class RemoteMeasurement:
    """One process, and what it transferred.

    Attributes:
        name: what was measured.
        root: kind of its root.
        wall: seconds.
        cpu: CPU-seconds.
        peak: bytes of memory.
        requests: number of requests; 0 with a folder.
        sent: bytes of the requests.
        received: bytes of the responses.
        disturbance: what other programs did meanwhile, without the store and its proxy.
    """

    name: str
    root: str
    wall: float
    cpu: float
    peak: int
    requests: int
    sent: int
    received: int
    disturbance: Disturbance


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the job.

    Attributes:
        command: with its root.
        cache: folder of the machine's cache.
    """

    command: Sequence[str]
    cache: Path


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """Measures runs of a configuration.

    Attributes:
        config: the configuration.
        overrides: values of its keys.
        scratch: folder for roots and caches.
        store: the object store.
        timeout: seconds for each process.
        attempts: see `undisturbed`.
        results: receives every process in the section `remote`.
        numbers: for names of roots and caches.
    """

    config: Path
    overrides: Sequence[str]
    scratch: Path
    store: ObjectStore
    timeout: float
    attempts: int
    results: ResultsFile
    numbers: Iterator[int] = field(default_factory=count)

    def measure_roots(self) -> list[RemoteMeasurement]:
        """Measure all runs on a new root of each kind."""
        return [one for kind in (FOLDER, S3) for one in self._measure_root(kind) if one is not None]

    def _measure_root(self, kind: str) -> Iterator[RemoteMeasurement | None]:
        finished: list[Run] = []

        def first_run() -> Run:
            finished.append(Run(command=self._command(self._new_root(kind)), cache=self._new_cache()))
            return finished[-1]

        yield self._measure("first run", kind, first_run)
        for _ in range(CACHED):
            yield self._measure("everything reused", kind, lambda: finished[-1])
        if kind == S3:
            yield self._measure(
                "everything reused, empty cache", kind, lambda: replace(finished[-1], cache=self._new_cache())
            )
        yield self._measure("resumed, empty cache", kind, lambda: self._interrupted_run(kind))

    def _interrupted_run(self, kind: str) -> Run:
        """Interrupt a run, and return the one that resumes it on another machine."""
        interrupted = Run(command=self._command(self._new_root(kind), RESUMED), cache=self._new_cache())
        variables = self._variables(kind, interrupted.cache)
        terminate_in_training(interrupted.command, variables=variables, timeout=self.timeout)
        return replace(interrupted, cache=self._new_cache())

    def _new_root(self, kind: str) -> str:
        place = self.store.url if kind == S3 else str(self.scratch / "remote-roots")
        return f"{place}/{next(self.numbers)}"

    def _new_cache(self) -> Path:
        return self.scratch / "caches" / str(next(self.numbers))

    def _command(self, root: str, *more: str) -> list[str]:
        options = [word for override in (*self.overrides, *more) for word in ("--set", override)]
        return [sys.executable, "-m", "job", "run", "--config", str(self.config), "--root", root, *options]

    def _variables(self, kind: str, cache: Path) -> dict[str, str]:
        """Return the environment of a machine with a cache."""
        return {**self.store.environment, "JOB_CACHE": str(cache)} if kind == S3 else {}

    def _measure(self, name: str, kind: str, next_run: Callable[[], Run]) -> RemoteMeasurement | None:
        def once() -> tuple[ProcessMeasurement, Transferred]:
            run = next_run()
            self.store.transferred()
            done = measure_process(
                run.command,
                timeout=self.timeout,
                success_codes=FINISHED,
                variables=self._variables(kind, run.cache),
                server_cpu=self.store.cpu,
            )
            return done, self.store.transferred()

        done, transferred = undisturbed(
            once, lambda found: None if found[0].failure else found[0].disturbance, attempts=self.attempts
        )
        if done.failure:
            self.results.add_failure(f"{name}, {kind}: {done.failure}")
            return None
        measured = RemoteMeasurement(
            name=name,
            root=kind,
            wall=done.wall,
            cpu=done.cpu,
            peak=done.peak,
            disturbance=done.disturbance,
            **vars(transferred),
        )
        self.results.append("remote", measured)
        return measured


def measure_remote(
    config: Path,
    overrides: Sequence[str],
    *,
    times: int,
    scratch: Path,
    timeout: float,
    attempts: int,
    results: ResultsFile,
) -> None:
    """Measure and print a first, a repeated and a resumed run on both kinds of root, alternately.

    Args:
        config: the configuration.
        overrides: values of its keys.
        times: number of roots of each kind.
        scratch: folder for roots and caches.
        timeout: seconds for each process.
        attempts: see `undisturbed`.
        results: receives every process in the section `remote`.
    """
    with ObjectStore() as store:
        measuring = Measuring(
            config=config,
            overrides=overrides,
            scratch=scratch,
            store=store,
            timeout=timeout,
            attempts=attempts,
            results=results,
        )
        measured = [one for _ in range(times) for one in measuring.measure_roots()]
    names = dict.fromkeys((one.name, kind) for one in measured for kind in (FOLDER, S3))
    groups = [[one for one in measured if (one.name, one.root) == name] for name in names]
    print_table(
        ("run, medians", "root", "n", "disturbed", "wall s", "cpu s", "peak MB", "requests", "MB sent", "MB received"),
        [_row(samples) for samples in groups if samples],
    )


def _row(samples: Sequence[RemoteMeasurement]) -> tuple[str, ...]:
    quiet = undisturbed_runs(samples, attrgetter("disturbance"))
    return (
        samples[0].name,
        samples[0].root,
        str(len(samples)),
        str(sum(one.disturbance.is_disturbed for one in samples)),
        number(statistics.median(one.wall for one in quiet)),
        number(statistics.median(one.cpu for one in quiet)),
        number(max(one.peak for one in samples) / 1e6, 0),
        number(statistics.median(one.requests for one in samples), 0),
        number(statistics.median(one.sent for one in samples) / 1e6),
        number(statistics.median(one.received for one in samples) / 1e6),
    )

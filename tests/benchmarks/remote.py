"""Cost of a root in object storage: the same runs with a folder, and with an S3 server 20 ms away.

The server and the proxy of `object_store` use processor time of this machine, which the measured processes then lack.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.disturbance import Disturbance
from tests.benchmarks.measure import measure_process
from tests.benchmarks.object_store import LATENCY_SECONDS, ObjectStore, Transferred
from tests.benchmarks.programs import FINISHED
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.table import number, print_table
from tests.support.processes import REPOSITORY, environment

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
        disturbance: what other programs did meanwhile, such as the store and its proxy.
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
class Measuring:
    """Measures runs of a configuration.

    Attributes:
        config: the configuration.
        overrides: values of its keys.
        scratch: folder for roots and caches.
        store: the object store.
        timeout: seconds for each process.
        results: receives every process in the section `remote`.
    """

    config: Path
    overrides: Sequence[str]
    scratch: Path
    store: ObjectStore
    timeout: float
    results: ResultsFile

    def measure_roots(self, turn: int) -> list[RemoteMeasurement]:
        """Measure all runs on a new root of each kind."""
        return [
            one
            for kind, place in ((FOLDER, str(self.scratch / "remote-roots")), (S3, self.store.url))
            for one in self._measure_root(kind, f"{place}/runs-{turn}", turn)
        ]

    def _measure_root(self, kind: str, root: str, turn: int) -> list[RemoteMeasurement]:
        first, second, third = (self.scratch / "caches" / f"{turn}-{machine}" for machine in range(3))
        runs = [("first run", first), *[("everything reused", first)] * CACHED]
        if kind == S3:
            runs.append(("everything reused, empty cache", second))
        command = self._command(root)
        found = [self._measure(name, kind, command, cache) for name, cache in runs]
        interrupted = self._command(f"{root}-resumed", RESUMED)
        _train_and_terminate(interrupted, self._variables(kind, first), timeout=self.timeout)
        self.store.transferred()
        found.append(self._measure("resumed, empty cache", kind, interrupted, third))
        return [one for one in found if one is not None]

    def _command(self, root: str, *more: str) -> list[str]:
        options = [word for override in (*self.overrides, *more) for word in ("--set", override)]
        return [sys.executable, "-m", "job", "run", "--config", str(self.config), "--root", root, *options]

    def _variables(self, kind: str, cache: Path) -> dict[str, str]:
        """Return the environment of a machine with a cache."""
        return {**self.store.environment, "JOB_CACHE": str(cache)} if kind == S3 else {}

    def _measure(self, name: str, kind: str, command: Sequence[str], cache: Path) -> RemoteMeasurement | None:
        variables = self._variables(kind, cache)
        done = measure_process(command, timeout=self.timeout, success_codes=FINISHED, variables=variables)
        transferred: Transferred = self.store.transferred()
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
    config: Path, overrides: Sequence[str], *, times: int, scratch: Path, timeout: float, results: ResultsFile
) -> None:
    """Measure and print a first, a repeated and a resumed run on both kinds of root, alternately.

    Args:
        config: the configuration.
        overrides: values of its keys.
        times: number of roots of each kind.
        scratch: folder for roots and caches.
        timeout: seconds for each process.
        results: receives every process in the section `remote`.
    """
    with ObjectStore() as store:
        measuring = Measuring(
            config=config, overrides=overrides, scratch=scratch, store=store, timeout=timeout, results=results
        )
        measured = [one for turn in range(times) for one in measuring.measure_roots(turn)]
    names = dict.fromkeys((one.name, kind) for one in measured for kind in (FOLDER, S3))
    groups = [[one for one in measured if (one.name, one.root) == name] for name in names]
    print_table(
        ("run, medians", "root", "n", "wall s", "cpu s", "peak MB", "requests", "MB sent", "MB received"),
        [_row(samples) for samples in groups if samples],
    )


def _train_and_terminate(command: Sequence[str], variables: Mapping[str, str], *, timeout: float) -> None:
    """Send SIGTERM to a run after its first epoch, and wait for its end."""
    env = {**environment(), "PYTHONUNBUFFERED": "1", **variables}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(" epoch"):
                break
        process.terminate()
        process.stdout.read()
        process.wait(timeout=timeout)


def _row(samples: Sequence[RemoteMeasurement]) -> tuple[str, ...]:
    return (
        samples[0].name,
        samples[0].root,
        str(len(samples)),
        number(statistics.median(one.wall for one in samples)),
        number(statistics.median(one.cpu for one in samples)),
        number(max(one.peak for one in samples) / 1e6, 0),
        number(statistics.median(one.requests for one in samples), 0),
        number(statistics.median(one.sent for one in samples) / 1e6),
        number(statistics.median(one.received for one in samples) / 1e6),
    )

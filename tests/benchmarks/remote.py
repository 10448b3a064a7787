"""Cost of a root in object storage: the same runs with a folder, and with an S3 server 20 ms away.

The server is moto, in a process of its own; a proxy adds the latency and counts requests and bytes. Both use
processor time of this machine, which the measured processes then lack.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measure import ProcessMeasurement, measure_process
from tests.benchmarks.programs import FINISHED
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.table import number, print_table
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_servers import ObjectServer, s3_server
from tests.support.processes import REPOSITORY, environment

LATENCY_SECONDS = 0.02
RESUMED = "trainer.epochs=3"
"""The run that is terminated after its first epoch."""
CACHED = 5
"""Runs that reuse everything."""


@dataclass(frozen=True, kw_only=True)
class RemoteMeasurement:
    """One process, and what it transferred.

    Attributes:
        name: what was measured.
        wall: seconds.
        cpu: CPU-seconds.
        peak: bytes of memory.
        requests: number of requests; 0 with a folder.
        uploaded: bytes of the requests.
        downloaded: bytes of the responses.
    """

    name: str
    wall: float
    cpu: float
    peak: int
    requests: int
    uploaded: int
    downloaded: int


class Place:
    """Where a root is: a folder, or object storage behind a proxy.

    Args:
        title: for the tables.
        root: of the runs, without its last part.
        proxy: None for a folder.
    """

    def __init__(self, title: str, root: str, proxy: FaultyProxy | None = None) -> None:
        self.title = title
        self.root = root
        self.proxy = proxy

    def variables(self, cache: Path) -> dict[str, str]:
        """Return the environment of a machine with a cache."""
        if self.proxy is None:
            return {}
        return {**ObjectServer("s3", self.proxy.port).environment, "JOB_CACHE": str(cache)}

    def measure(self, name: str, command: Sequence[str], *, cache: Path, timeout: float) -> RemoteMeasurement | str:
        """Run a command and measure it; return why that failed, if it did."""
        if self.proxy is not None:
            self.proxy.plan()
        done: ProcessMeasurement = measure_process(
            command, timeout=timeout, success_codes=FINISHED, variables=self.variables(cache)
        )
        if done.failure:
            return done.failure
        requests = [] if self.proxy is None else self.proxy.requests
        return RemoteMeasurement(
            name=name,
            wall=done.wall,
            cpu=done.cpu,
            peak=done.peak,
            requests=len(requests),
            uploaded=sum(request.sent for request in requests),
            downloaded=sum(request.received for request in requests),
        )


def measure_remote(
    config: Path, overrides: Sequence[str], *, times: int, scratch: Path, timeout: float, results: ResultsFile
) -> None:
    """Measure and print a first, a repeated and a resumed run on both kinds of root, alternately.

    Args:
        config: the configuration.
        overrides: of its keys.
        times: number of roots of each kind.
        scratch: folder for roots and caches.
        timeout: seconds for each process.
        results: receives every process in the section `remote`.
    """
    measured: dict[str, dict[str, list[RemoteMeasurement]]] = {}
    with s3_server() as server, FaultyProxy(server.port, latency=LATENCY_SECONDS) as proxy:
        bucket = server.create_bucket()
        places = (
            Place("a folder", str(scratch / "remote-roots")),
            Place(f"S3, {1000 * LATENCY_SECONDS:.0f} ms", f"s3://{bucket}", proxy),
        )
        for turn in range(times):
            for place in places:
                for one in _measure_root(place, config, overrides, turn, scratch=scratch, timeout=timeout):
                    if isinstance(one, str):
                        results.add_failure(f"{place.title}: {one}")
                        continue
                    results.append("remote", {"root": place.title, **vars(one)})
                    measured.setdefault(one.name, {}).setdefault(place.title, []).append(one)
    print_table(
        ("run, medians", "root", "n", "wall s", "cpu s", "peak MB", "requests", "MB sent", "MB received"),
        [_row(name, title, samples) for name, by_root in measured.items() for title, samples in by_root.items()],
    )


def _measure_root(
    place: Place, config: Path, overrides: Sequence[str], turn: int, *, scratch: Path, timeout: float
) -> list[RemoteMeasurement | str]:
    """Measure all runs on one new root."""
    root = f"{place.root}/runs-{turn}"
    first, second, third = (scratch / "caches" / f"{turn}-{machine}" for machine in range(3))
    command = _run(config, root, overrides)
    found = [place.measure("first run", command, cache=first, timeout=timeout)]
    if isinstance(found[0], str):
        return found
    found += [place.measure("everything reused", command, cache=first, timeout=timeout) for _ in range(CACHED)]
    if place.proxy is not None:
        found.append(place.measure("everything reused, empty cache", command, cache=second, timeout=timeout))
    interrupted = _run(config, f"{root}-resumed", [*overrides, RESUMED])
    _train_and_terminate(interrupted, place.variables(first), timeout=timeout)
    return [*found, place.measure("resumed, empty cache", interrupted, cache=third, timeout=timeout)]


def _run(config: Path, root: str, overrides: Sequence[str]) -> list[str]:
    options = [word for override in overrides for word in ("--set", override)]
    return [sys.executable, "-m", "job", "run", "--config", str(config), "--root", root, *options]


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


def _row(name: str, title: str, samples: Sequence[RemoteMeasurement]) -> tuple[str, ...]:
    return (
        name,
        title,
        str(len(samples)),
        number(statistics.median([one.wall for one in samples])),
        number(statistics.median([one.cpu for one in samples])),
        number(max(one.peak for one in samples) / 1e6, 0),
        number(statistics.median([one.requests for one in samples]), 0),
        number(statistics.median([one.uploaded for one in samples]) / 1e6),
        number(statistics.median([one.downloaded for one in samples]) / 1e6),
    )

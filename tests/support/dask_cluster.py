"""A Dask cluster on this machine: a scheduler and workers, each a process."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.processes import environment, wait_until


class DaskCluster:
    """A scheduler, and workers of one thread each, until the end of the block."""

    def __init__(self, folder: Path, *, workers: int = 2, port: int = 0) -> None:
        self._folder, self._count, self._port = folder, workers, port
        self._file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self._file.unlink(missing_ok=True)
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-show")
        wait_until(self._has_started, lambda: "no scheduler started", seconds=60)
        self.address: str = json.loads(self._file.read_text())["address"]
        for _ in range(self._count):
            self.add_worker()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker that is not started again when it ends."""
        self.workers.append(self.start("worker", "--nthreads", "1", "--no-nanny"))
        return self.workers[-1]

    def start(self, command: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a process of Dask in a working directory that is not the job's."""
        program = [sys.executable, "-m", f"distributed.cli.dask_{command}", "--scheduler-file", str(self._file)]
        folder = self._folder / f"{command}-{len(self.workers)}"
        folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [*program, "--no-dashboard", *options],
            cwd=folder,
            env=environment() | {"TMPDIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _has_started(self) -> bool:
        with suppress(FileNotFoundError, ValueError):
            return bool(json.loads(self._file.read_text()))
        return False

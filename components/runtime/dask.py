"""Dask: the engine that runs tasks on the workers of a Dask cluster."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from components.base.engine import InProcess, Result
from components.base.errors import ConfigError, JobError, ResourceError
from components.runtime.dask_workers import check_workers, pickled_for_worker
from components.runtime.libraries import missing_modules
from components.runtime.pickled_tasks import is_portable, run_pickled, unpickled_result

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 60.0
"""Maximum wait for the scheduler and its first worker, and for a new worker after all are lost."""
POLL_SECONDS = 0.1
CHECK_SECONDS = 5.0
"""Interval at which the number of workers is read while a task runs."""


class Dask:
    """Runs tasks on a Dask cluster whose workers have the same libraries and share a folder with this process.

    Args:
        address: of the scheduler, such as `tcp://scheduler:8786`.
        shared: the folder, which contains the files that tasks write.
    """

    def __init__(self, address: str, shared: Path) -> None:
        self._address, self._shared = address, shared
        self._futures: deque[Future] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def parallel(self) -> int:
        """Maximum number of tasks that run at once on one machine and share its memory."""
        with self._errors():
            threads: Counter[str] = Counter()
            for worker, count in self._client.nthreads().items():
                threads[worker.rpartition(":")[0]] += count
            return max(threads.values(), default=1)

    def run(
        self,
        tasks: Sequence[Callable[[], Result]],
        check: Callable[[], None],
        sizes: Sequence[int] | None = None,  # noqa: ARG002
    ) -> Iterator[Result]:
        if not tasks or not is_portable(tasks[0]):
            return InProcess().run(tasks, check)
        return self._run(tasks, check)

    def close(self) -> None:
        """Disconnect, so that the scheduler cancels all tasks; a running task completes the file that it writes."""
        self._futures.clear()
        if client := self.__dict__.pop("_client", None):
            with suppress(Exception):  # the scheduler may be lost
                client.close(timeout=1)

    def _run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
        with self._errors():
            ahead = 2 * sum(self._client.nthreads().values())
        pending = iter(tasks)
        try:
            for _ in tasks:
                with self._errors():
                    while len(self._futures) < ahead and (task := next(pending, None)):
                        self._futures.append(self._client.submit(run_pickled, pickled_for_worker(task), pure=False))
                    outcome = self._outcome(self._futures[0], check)
                result = unpickled_result(outcome)
                self._futures.popleft()
                yield result
        finally:
            self._futures.clear()

    def _outcome(self, future: Future, check: Callable[[], None]) -> bytes:
        """Return the pickled result of a task; raise ResourceError if there is no worker for `CONNECT_SECONDS`."""
        last_worker = next_check = time.monotonic()
        while True:
            check()
            try:
                outcome: bytes = future.result(timeout=POLL_SECONDS)
            except TimeoutError:
                if time.monotonic() < next_check:
                    continue
                if self._client.nthreads():
                    last_worker = time.monotonic()
                if time.monotonic() - last_worker > CONNECT_SECONDS:
                    raise self._no_workers() from None
                next_check = time.monotonic() + CHECK_SECONDS
            else:
                return outcome

    @cached_property
    def _client(self) -> Client:
        require_dask()
        import distributed

        for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # instead, this engine raises errors
        client = distributed.Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            client.close(timeout=1)
            raise self._no_workers() from error
        check_workers(client, self._shared)
        return client

    def _no_workers(self) -> ResourceError:
        return ResourceError(
            f"the Dask scheduler at {self._address} has had no worker for {CONNECT_SECONDS:.0f} s",
            expected="at least one worker",
            remedy="start workers, and run the same command again",
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise ResourceError for errors of the cluster."""
        remedy = "run the same command again when it is reachable, or set engine.kind: processes"
        try:
            yield
        except JobError:
            raise
        except Exception as error:
            name = type(error).__name__
            if isinstance(error, ModuleNotFoundError):
                raise ConfigError(
                    f"a Dask worker cannot import {error.name}",
                    expected="workers that have the requirements of the job",
                    remedy="install them on all workers",
                ) from error
            if name == "KilledWorker":
                raise ResourceError(
                    "several Dask workers ended while running the same task",
                    expected="workers with enough memory for their tasks",
                    remedy="give them more memory or fewer threads, or lower memory_budget",
                ) from error
            if isinstance(error, OSError) or name in ("FutureCancelledError", "CommClosedError", "ClosedClientError"):
                raise ResourceError(
                    f"the Dask scheduler at {self._address} cannot be reached",
                    expected="a scheduler that runs until the step ends",
                    remedy=remedy,
                ) from error
            raise


def require_dask() -> None:
    """Raise ConfigError if Dask is not installed."""
    if missing_modules(("distributed",)):
        raise ConfigError(
            "engine.kind is dask, but Dask is not installed",
            expected="the extra `dask`",
            remedy="`make extras` or `pip install -e '.[dask]'`",
        )

"""Dask: the engine that runs tasks on the workers of a Dask cluster."""

from __future__ import annotations

import io
import logging
import os
import pickle
import platform
import secrets
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self

from components.base.engine import InProcess, Result
from components.base.errors import ConfigError, JobError, ResourceError
from components.base.hashing import file_sha256, value_sha256
from components.runtime.libraries import library_version, missing_modules
from components.runtime.pickled_tasks import is_portable, run_pickled, unpickled_result

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 60.0
"""Maximum wait for the scheduler and its first worker, and for a new worker after all are lost."""
POLL_SECONDS = 0.1
CHECK_SECONDS = 5.0
"""Interval at which the number of workers is read while a task runs."""
LIBRARIES = ("mnist-job", "numpy", "pandas", "pyarrow", "pillow", "scipy", "keras", "tensorflow")
"""Libraries whose versions may affect the results of tasks."""

PACKAGE = Path(__file__).parents[1]
"""The folder `components`."""


class _TaskPickler(pickle.Pickler):
    """Pickles paths as absolute ones, because a worker has another working directory.

    Attributes:
        modules: the top-level modules of all functions and classes.
    """

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer)
        self.modules: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Path) and not value.is_absolute():
            return Path, (str(value.absolute()),)
        if isinstance(value, FunctionType | type):
            self.modules.add(value.__module__.partition(".")[0])
        return NotImplemented


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

    def run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
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
                        self._futures.append(self._client.submit(run_pickled, _pickled(task), pure=False))
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
        self._check_workers(client)
        return client

    def _check_workers(self, client: Client) -> None:
        """Raise ConfigError if a worker has other versions, or does not share the folder."""
        probe = self._shared.absolute() / f".{secrets.token_hex(8)}"
        probe.touch()
        try:
            found = client.run(_describe_worker, str(probe))
        finally:
            probe.unlink(missing_ok=True)
        here = _describe_worker(str(self._shared))
        for worker, there in found.items():
            for name, value in here.items():
                if there[name] == value:
                    continue
                if not name:
                    raise ConfigError(
                        f"the Dask worker {worker} does not have the folder {self._shared}",
                        expected="a root, or a cache of object storage, in a folder that all workers share",
                        remedy="set --root or cache.path to such a folder",
                    )
                raise ConfigError(
                    f"the Dask worker {worker} has {name} {there[name]}, but this process has {value}",
                    expected="the same versions, which give the same bytes",
                    remedy="install the requirements of the job on all workers",
                )

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


def _pickled(task: Callable[[], Any]) -> bytes:
    """Return a pickled task that raises ConfigError if a module of the user on the worker is another one."""
    buffer = io.BytesIO()
    pickler = _TaskPickler(buffer)
    pickler.dump(task)
    digests = {name: digest for name in sorted(pickler.modules) if (digest := _digest(name))}
    return pickle.dumps(partial(_run, buffer.getvalue(), digests))


def _run(task: bytes, digests: dict[str, str]) -> Any:
    for module, digest in digests.items():
        if (found := _digest(module)) != digest:
            raise ConfigError(
                f"a Dask worker has another {module}" if found else f"a Dask worker cannot import {module}",
                expected="the source code that this process has",
                remedy="add the folder of the code to PYTHONPATH on all workers, and restart them",
            )
    return pickle.loads(task)()  # noqa: S301  (from the job)


def _digest(module: str) -> str:
    """Return a digest of the source code of a top-level module; empty if it is missing, or a library."""
    if module in sys.stdlib_module_names or module == PACKAGE.name or (spec := find_spec(module)) is None:
        return ""
    file = Path(spec.origin or "")
    if not file.is_file() or "site-packages" in file.parts:
        return ""
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    return value_sha256([file_sha256(each) for each in files])


def _describe_worker(probe: str) -> dict[str, str]:
    """Return whether a file exists (key: the empty string), and the versions that affect results."""
    return {
        "": str(os.path.exists(probe)),  # noqa: PTH110
        "Python": platform.python_version(),
        **{name: library_version(name) for name in LIBRARIES},
        "source code": value_sha256([file_sha256(file) for file in sorted(PACKAGE.rglob("*.py"))])[:8],
    }

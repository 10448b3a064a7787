"""Workers of a Dask cluster: they have the libraries, the source code and the folder of this process."""

from __future__ import annotations

import io
import os
import pickle
import platform
import secrets
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError
from components.base.hashing import file_sha256, value_sha256
from components.runtime.libraries import library_version

if TYPE_CHECKING:
    from distributed import Client

LIBRARIES = ("mnist-job", "numpy", "pandas", "pyarrow", "pillow", "scipy", "keras", "tensorflow")
"""Libraries whose versions may affect the results of tasks."""

PACKAGE = Path(__file__).parents[1]
"""The folder `components`."""


def check_workers(client: Client, shared: Path) -> None:
    """Raise ConfigError if a worker has other versions, or does not share the folder."""
    probe = shared.absolute() / f".{secrets.token_hex(8)}"
    probe.touch()
    try:
        found = client.run(_describe_worker, str(probe))
    finally:
        probe.unlink(missing_ok=True)
    here = _describe_worker(str(shared))
    for worker, there in found.items():
        for name, value in here.items():
            if there[name] == value:
                continue
            if not name:
                raise ConfigError(
                    f"the Dask worker {worker} does not have the folder {shared}",
                    expected="a root, or a cache of object storage, in a folder that all workers share",
                    remedy="set --root or cache.path to such a folder",
                )
            raise ConfigError(
                f"the Dask worker {worker} has {name} {there[name]}, but this process has {value}",
                expected="the same versions, which give the same bytes",
                remedy="install the requirements of the job on all workers",
            )


def pickled_for_worker(task: Callable[[], Any]) -> bytes:
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

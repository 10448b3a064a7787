"""Which store MLflow keeps runs in, a client of it, and what the environment says to MLflow where it says nothing."""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.runtime.locks import acquire

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would tell its makers, over the internet
    # By itself it waits for up to two minutes, seven times over. Two attempts are over within `trackers.PATIENCE`.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # it would sleep for as long as a server says
}
"""What the environment says where it says nothing; MLflow reads it when it is imported, and at each request."""
ALLOW_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"
"""Without it, MLflow 3.17 refuses a store of plain files, which is not developed any further."""
URI = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
UNSPEAKABLE = "?#%"
"""Characters of a path that a database's URI would take for something else."""
LONGEST_LOCKED = 15.0
"""Seconds for which another job may hold the lock under which the tables are made; it takes some two."""
CHATTY = ("mlflow", "alembic", "urllib3.connectionpool")
"""Loggers that tell of new tables, and print the traceback of what they raise anyway."""


def store_uri(stated: str | None, root: Path) -> str:
    """Return the URI of the store: what is stated, else what the environment says, else of a database in the root.

    Raises:
        ValueError: if it would be in a root whose path no URI can tell.
    """
    if uri := stated or os.environ.get(URI):
        return uri
    if odd := set(str(root)) & {*UNSPEAKABLE}:
        raise ValueError(
            f"no URI of a database tells the root, which has {' and '.join(sorted(odd))} in its path; "
            "tracking.mlflow.uri can name another place"
        )
    return f"{SQLITE}{root / 'mlflow.db'}"


def import_mlflow(uri: str) -> Any:
    """Import MLflow for a store, quiet, and not as patient as it is by itself."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if urlsplit(uri).scheme in ("", "file"):
        os.environ.setdefault(ALLOW_FILE_STORE, "true")
    import mlflow.entities

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return mlflow


def open_store(uri: str) -> Any:
    """Return a client of a store, which is made if it is not there.

    Raises:
        OSError: if a database cannot be opened, or another job holds its lock for too long.
        Exception: whatever MLflow and its database come up with.
    """
    mlflow = import_mlflow(uri)
    if not uri.startswith(SQLITE):
        return mlflow.MlflowClient(uri, registry_uri=uri)
    database = Path(uri.removeprefix(SQLITE).partition("?")[0])
    database.parent.mkdir(parents=True, exist_ok=True)
    database.open("ab").close()  # what cannot be, MLflow tries ten times, and sleeps for longer each time
    # Two that make the tables of one file at the same time spoil it.
    with hold_for(LONGEST_LOCKED, database.with_name(f"{database.name}.lock")):
        return mlflow.MlflowClient(uri, registry_uri=uri)


@contextmanager
def hold_for(seconds: float, path: Path) -> Iterator[None]:
    """Hold a lock (see `hold`), if it is let go of within so many seconds.

    Raises:
        TimeoutError: if it is not; says who holds it.
    """
    until, holders = time.monotonic() + seconds, [""]

    def check() -> None:
        if time.monotonic() > until:
            raise TimeoutError(f"{path} has been held for {seconds:.0f} s by {holders[-1]}")

    with acquire(path, on_wait=holders.append, check=check):
        yield

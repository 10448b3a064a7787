"""MLflow's client: the store that it opens, limits on waiting, and the keys and values that MLflow accepts."""

import logging
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from components.base.errors import ConfigError
from components.runtime.locks import acquire
from job.store.root import address, root_of

V = TypeVar("V")
URI_VARIABLE = "MLFLOW_TRACKING_URI"
ENVIRONMENT_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow's own defaults are a timeout of two minutes and seven retries; two attempts of 8 s fit into the time
    # that `TrackingListener.finish` waits.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a server could make it sleep for any time
}
"""Set where the environment sets nothing else; MLflow reads them when it is imported, and at each request."""
ALLOW_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"
"""MLflow 3.17 refuses a store of plain files without it."""
SQLITE = "sqlite:///"
LOCK_SECONDS = 15.0
"""Limit on waiting for another job to create the tables of a database, which takes about two seconds."""
MAX_BATCH = 100
"""Parameters or tags in one request."""
MAX_PARAMETER_LENGTH = 6000
MAX_TAG_LENGTH = 8000
MAX_KEY_LENGTH = 250
FORBIDDEN_IN_KEYS = re.compile(r"[^\w./ :-]")


def store_uri(configured: str | None, root: Path) -> str:
    """Return the store's URI: configured, else from the environment, else a database in the root.

    Raises:
        ConfigError: if the root is in object storage, and no other store is set.
        ValueError: if the root's path has a character with a special meaning in a URI.
    """
    if uri := configured or os.environ.get(URI_VARIABLE):
        return uri
    if root_of(root) is not None:
        raise ConfigError(
            f"tracking.mlflow has no database in the root {address(root)}, which is in object storage",
            expected="a server, or a database elsewhere",
            remedy=f"set tracking.mlflow.uri or {URI_VARIABLE}",
        )
    if special := set("?#%") & set(str(root)):
        raise ValueError(
            f"the root's path contains {' and '.join(sorted(special))}, which a database URI cannot express; "
            "set tracking.mlflow.uri to another location"
        )
    return f"{SQLITE}{root / 'mlflow.db'}"


def import_mlflow(uri: str) -> Any:
    """Import MLflow for a store, with short timeouts and without its log messages."""
    for name, value in ENVIRONMENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    if urlsplit(uri).scheme in ("", "file"):
        os.environ.setdefault(ALLOW_FILE_STORE, "true")
    with _any_home():
        import mlflow.entities

    # They report new tables, and the tracebacks of errors that they raise anyway.
    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return mlflow


@contextmanager
def _any_home() -> Iterator[None]:
    """Set HOME for a user without a home: MLflow reads it when it is imported, for files that the job does not use."""
    if os.path.expanduser("~") != "~":  # noqa: PTH111  (Path.expanduser raises)
        yield
        return
    os.environ["HOME"] = os.sep
    try:
        yield
    finally:
        del os.environ["HOME"]


def open_client(uri: str) -> Any:
    """Return a client of a store, which is created if it does not exist; any exception of MLflow may be raised."""
    mlflow = import_mlflow(uri)
    if not uri.startswith(SQLITE):
        return mlflow.MlflowClient(uri, registry_uri=uri)
    database = Path(uri.removeprefix(SQLITE).partition("?")[0])
    database.parent.mkdir(parents=True, exist_ok=True)
    # Two processes that create the tables of one database at the same time corrupt it.
    with acquire_within(LOCK_SECONDS, database.with_name(f"{database.name}.lock")):
        if not database.exists() or not database.stat().st_size:
            _create_database(mlflow, database)
        database.open("ab").close()  # raises at once, where MLflow would retry ten times with growing pauses
        return mlflow.MlflowClient(uri, registry_uri=uri)


def _create_database(mlflow: Any, database: Path) -> None:
    """Create MLflow's tables in another folder, and rename once: MLflow cannot use a database with some of them."""
    draft = database.with_name(f"{database.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a killed process
    draft.mkdir()
    mlflow.MlflowClient(f"{SQLITE}{draft}/tables.db", registry_uri=f"{SQLITE}{draft}/tables.db")
    # A copy, because MLflow keeps its connections to the original.
    with closing(sqlite3.connect(draft / "tables.db")) as tables, closing(sqlite3.connect(draft / "copy.db")) as copy:
        tables.backup(copy)
    (draft / "copy.db").rename(database)
    shutil.rmtree(draft)


@contextmanager
def acquire_within(seconds: float, path: Path) -> Iterator[None]:
    """Acquire a lock, or raise TimeoutError with its owner after some seconds."""
    deadline, owners = time.monotonic() + seconds, [""]

    def check() -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} has been locked for {seconds:.0f} s by {owners[-1]}")

    with acquire(path, on_wait=owners.append, check=check):
        yield


def sanitize_keys(values: Mapping[str, V]) -> dict[str, V]:
    """Return values with keys that MLflow accepts: no forbidden characters, no relative paths, no duplicates.

    >>> sanitize_keys({"a%": 1, "a&": 2, "b//../c": 3})
    {'a_': 1, 'a_ 2': 2, 'b/__/c': 3}
    """
    sanitized: dict[str, V] = {}
    for name, value in values.items():
        parts = [part for part in FORBIDDEN_IN_KEYS.sub("_", name).split("/") if part not in ("", ".")]
        plain = "/".join("__" if part == ".." else part for part in parts)[:MAX_KEY_LENGTH].rstrip("/") or "_"
        key, count = plain, 1
        while key in sanitized:
            count += 1
            key = f"{plain[: MAX_KEY_LENGTH - 1 - len(str(count))]} {count}"
        sanitized[key] = value
    return sanitized

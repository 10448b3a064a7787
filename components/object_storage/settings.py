"""Settings of object storage, which are the same in the whole process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from components.base.errors import ConfigError
from components.base.paths import require_path
from components.base.size import EXPECTED_SIZE, parse_size
from components.base.text import printable

CACHE_VARIABLE = "JOB_CACHE"
"""Environment variable that names the folder of the local cache."""
CACHE_SIZE_VARIABLE = "JOB_CACHE_MAX_SIZE"
"""Environment variable with the limit of the local cache, such as 20GB."""
TIMEOUT_VARIABLE = "JOB_REMOTE_TIMEOUT"
"""Environment variable with the seconds after which a request fails."""
RETRIES_VARIABLE = "JOB_REMOTE_RETRIES"
"""Environment variable with the number of retries of a request."""
GRACE_VARIABLE = "JOB_REMOTE_GRACE"
"""Environment variable with the seconds after SIGTERM in which the last checkpoint is uploaded."""
REST_SECONDS = 2.0
"""Time after `grace` for the record of the run and its leases; then all requests end."""
MAX_TIMEOUT, MAX_RETRIES = 3600.0, 100
ATTEMPTS_IN_TIME = 4
"""How often a request without a response is sent within the timeout."""
UPLOAD_TIMEOUTS = 2
"""Timeouts after which an upload without progress fails: each part is sent a second time."""


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Limits of requests, and the local cache."""

    timeout: float = 60.0
    """Seconds after which a request is not repeated; one without a response is repeated after a quarter of them.

    Of a download, seconds without progress; of an upload, seconds for each of two attempts of a part of 5 MB.
    """
    retries: int = 8
    """Maximum number of retries of a request."""
    cache: Path | None = None
    """Folder of the local cache; None for the default."""
    max_cache_bytes: int = 20 * 1024**3
    grace: float = 20.0
    """Seconds after SIGTERM in which the last checkpoint is uploaded; batch runners usually kill a process after 30.

    Two seconds later, all requests end."""

    @classmethod
    def from_environment(cls, **chosen: Any) -> Self:
        """Return chosen settings; those that are missing or None are in the environment, or have their defaults.

        Raises:
            ConfigError: for a value in the environment that is not valid.
        """
        values = {
            "timeout": _read(TIMEOUT_VARIABLE, _parse_timeout, f"seconds above 0, at most {MAX_TIMEOUT:.0f}"),
            "retries": _read(RETRIES_VARIABLE, _parse_retries, f"a whole number from 0 to {MAX_RETRIES}"),
            "grace": _read(GRACE_VARIABLE, _parse_timeout, f"seconds above 0, at most {MAX_TIMEOUT:.0f}"),
            "max_cache_bytes": _read(CACHE_SIZE_VARIABLE, parse_size, EXPECTED_SIZE),
        }
        values |= {name: value for name, value in chosen.items() if value is not None}
        return cls(**{name: value for name, value in values.items() if value is not None})

    @property
    def request_timeout(self) -> timedelta:
        """Time after which a request without a response is repeated."""
        return timedelta(seconds=self.timeout / ATTEMPTS_IN_TIME)

    @property
    def cache_folder(self) -> Path:
        """The folder of the local cache: the setting, `JOB_CACHE`, or `mnist-job` in the user's cache folder."""
        if self.cache is not None:
            return self.cache
        if named := os.environ.get(CACHE_VARIABLE):
            return require_path(CACHE_VARIABLE, named)
        return require_path("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "mnist-job"


def is_in_cache(path: Path) -> bool:
    """Return whether a file or folder is below the folder of the local cache."""
    try:
        folder = storage_settings().cache_folder
    except ConfigError:  # an invalid variable, where nothing uses object storage
        return False
    return path.resolve().is_relative_to(folder.resolve())


_configured: StorageSettings | None = None


def storage_settings() -> StorageSettings:
    """Return the present settings: those of the environment, unless a configuration was applied."""
    return _configured or StorageSettings.from_environment()


def configure_storage(settings: StorageSettings) -> None:
    """Set the settings for everything that is opened afterwards."""
    global _configured
    _configured = settings


def _read(variable: str, parse: Callable[[str], Any], expected: str) -> Any:
    """Return the value of an environment variable; None if it is not set."""
    if not (text := os.environ.get(variable)):
        return None
    try:
        return parse(text)
    except ValueError as error:
        problem = f"{variable} is `{printable(text)}`"
        raise ConfigError(problem, expected=expected, remedy="correct or unset it") from error


def _parse_timeout(text: str) -> float:
    if not 0 < (seconds := float(text)) <= MAX_TIMEOUT:
        raise ValueError(text)
    return seconds


def _parse_retries(text: str) -> int:
    if not 0 <= (retries := int(text)) <= MAX_RETRIES:
        raise ValueError(text)
    return retries

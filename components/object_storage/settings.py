"""Settings of object storage, which all uses in a process share."""

import os
from dataclasses import dataclass
from pathlib import Path

from components.base.paths import require_path

CACHE_VARIABLE = "JOB_CACHE"
"""Environment variable that names the folder of the local cache."""


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Limits of requests, and the local cache."""

    timeout: float = 60.0
    """Seconds after which an operation fails, with all its retries; for a transfer, seconds without progress."""
    retries: int = 8
    """Maximum number of retries of a request."""
    cache: Path | None = None
    """Folder of the local cache; None for the default."""
    max_cache_bytes: int = 20 * 1024**3
    grace: float = 20.0
    """Seconds after SIGTERM in which the last checkpoint is uploaded; batch runners usually kill a process after 30."""

    @property
    def cache_folder(self) -> Path:
        """The folder of the local cache: the setting, `JOB_CACHE`, or `mnist-job` in the user's cache folder."""
        if self.cache is not None:
            return self.cache
        if named := os.environ.get(CACHE_VARIABLE):
            return require_path(CACHE_VARIABLE, named)
        return require_path("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "mnist-job"


_current = StorageSettings()


def storage_settings() -> StorageSettings:
    """Return the present settings."""
    return _current


def configure_storage(settings: StorageSettings) -> None:
    """Set the settings for everything that is opened afterwards."""
    global _current
    _current = settings

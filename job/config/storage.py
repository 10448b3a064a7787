"""The sections `cache` and `remote` of a configuration: how this machine uses object storage."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from components.base.paths import UserPath
from components.base.size import Size
from components.object_storage.settings import MAX_RETRIES, MAX_TIMEOUT, StorageSettings


class StoragePart(BaseModel):
    """Base of the sections for object storage: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CacheConfig(StoragePart):
    """Local copies of what is in object storage."""

    path: UserPath | None = None
    """Folder of the cache. By default JOB_CACHE from the environment, else `mnist-job` in the user's cache folder."""
    max_size: Size | None = None
    """Limit of the cache, such as 20GB: the least recently used copies are deleted, but none that a run uses. By
    default JOB_CACHE_MAX_SIZE from the environment, else 20GiB."""


class RemoteConfig(StoragePart):
    """Limits of the requests to object storage."""

    timeout: Annotated[float, Field(strict=True, gt=0, le=MAX_TIMEOUT)] | None = None
    """Seconds after which a request fails, with all its retries; for a download, seconds without progress, and for an
    upload half of them. By default JOB_REMOTE_TIMEOUT from the environment, else 60."""
    retries: Annotated[int, Field(strict=True, ge=0, le=MAX_RETRIES)] | None = None
    """Maximum number of retries of a request. By default JOB_REMOTE_RETRIES from the environment, else 8."""
    grace: Annotated[float, Field(strict=True, gt=0, le=MAX_TIMEOUT)] | None = None
    """Seconds after SIGTERM in which the last checkpoint is uploaded; two seconds later all requests end. The batch
    runner must wait longer before it kills the job. By default JOB_REMOTE_GRACE from the environment, else 20."""


def settings_of(cache: CacheConfig, remote: RemoteConfig) -> StorageSettings:
    """Return the settings of both sections, with those of the environment for keys that are not set."""
    return StorageSettings.from_environment(
        timeout=remote.timeout,
        retries=remote.retries,
        grace=remote.grace,
        cache=cache.path,
        max_cache_bytes=cache.max_size,
    )

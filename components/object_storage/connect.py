"""Connections to an object store, with the credentials and the endpoint of the environment."""

import os
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError

from components.object_storage.errors import Failure
from components.object_storage.settings import StorageSettings
from components.object_storage.url import ObjectUrl

BACKOFF: Any = {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=15), "base": 3}
"""The delay is random, up to three times the last one: eight retries take a quarter of a minute on average."""
CONNECT_TIMEOUT = timedelta(seconds=10)
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")


def connect(url: ObjectUrl, settings: StorageSettings) -> Any:
    """Return a store of obstore, without a request.

    Raises:
        ConfigError: if its configuration is incomplete or invalid.
    """
    timeout = timedelta(seconds=settings.timeout)
    try:
        return obstore.store.from_url(
            str(url),
            client_options={"timeout": timeout, "connect_timeout": CONNECT_TIMEOUT, "allow_http": _allows_http()},
            retry_config={"max_retries": settings.retries, "retry_timeout": timeout, "backoff": BACKOFF},
        )
    except (BaseError, ValueError) as error:
        failure = Failure.of(error)
    raise failure.as_job_error(url, "use")


def _allows_http() -> bool:
    """Return whether a configured endpoint is HTTP, such as that of a store on the same machine."""
    return any(os.environ.get(name, "").startswith("http://") for name in ENDPOINTS)

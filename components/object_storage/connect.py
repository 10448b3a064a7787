"""Connections to an object store, with the credentials and the endpoint of the environment."""

import os
from datetime import timedelta
from functools import cached_property
from typing import Any

import obstore
from obstore.exceptions import BaseError

from components.object_storage.credentials import find_credentials, unset_empty_variables
from components.object_storage.errors import Failure
from components.object_storage.settings import UPLOAD_TIMEOUTS, StorageSettings
from components.object_storage.url import ObjectUrl

BACKOFF: Any = {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=15), "base": 3}
"""The delay is random, up to three times the last one: eight retries take a quarter of a minute on average.

It is never longer than that after which a request without a response is repeated."""
CONNECT_TIMEOUT = timedelta(seconds=10)
ANY_TIME = timedelta(days=1)


class Connection:
    """Stores of obstore for one URL, with the credentials when it is created. Creating it makes no request.

    Raises:
        ConfigError: if the configuration is incomplete or invalid.
    """

    def __init__(self, url: ObjectUrl, settings: StorageSettings) -> None:
        self._url, self._settings = url, settings
        unset_empty_variables(url.scheme, os.environ)
        self._credentials = find_credentials(url.scheme, os.environ)
        self.is_renewable = self._credentials.is_renewable
        self.requests = self._store({"timeout": settings.request_timeout})
        """For small objects, lists and deletions."""

    @cached_property
    def downloads(self) -> Any:
        """For downloads, which may take any time while there is progress."""
        return self._store({"timeout": ANY_TIME, "read_timeout": self._settings.request_timeout})

    @cached_property
    def uploads(self) -> Any:
        """For uploads; the timeout is that of one part, which is repeated if there is no response."""
        return self._store({"timeout": timedelta(seconds=self._settings.timeout)}, timeouts=UPLOAD_TIMEOUTS)

    def _store(self, limits: dict[str, timedelta], *, timeouts: int = 1) -> Any:
        connect_timeout = min(CONNECT_TIMEOUT, *limits.values())
        client: Any = {**limits, "connect_timeout": connect_timeout, "allow_http": self._credentials.allow_http}
        retries: Any = {
            "max_retries": self._settings.retries,
            "retry_timeout": timedelta(seconds=self._settings.timeout) * timeouts,
            "backoff": {**BACKOFF, "max_backoff": min(BACKOFF["max_backoff"], self._settings.request_timeout)},
        }
        config: Any = self._credentials.options
        try:
            return obstore.store.from_url(str(self._url), config=config, client_options=client, retry_config=retries)
        except (BaseError, ValueError) as error:
            failure = Failure.of(error)
        raise failure.as_job_error(self._url, "use")

"""Download and preparation of a tensorflow-datasets data set, with a time limit where the library has none."""

import contextlib
import io
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.base.component import Context
from components.base.errors import DataError, JobError, ResourceError, first_line
from components.runtime.disk import disk_full_error, is_disk_full

MAX_SILENT_SECONDS = 20.0
"""Time without a byte for an unfinished download after which the network or the server counts as unreachable."""
POLL_SECONDS = 0.1
RETRYABLE_STATUS = re.compile(r"HTTP code: (408|429|5\d\d)")
"""In tensorflow-datasets' error. The server is overloaded or broken; with other codes it does not have the file."""
OTHER_DATA = "read files that you have with another `kind`, such as `kind: idx`, or run the preset `digits`"


def download_and_prepare(builder: Any, name: str, context: Context) -> None:
    """Download and prepare the data set of a builder.

    tensorflow-datasets connects, reads and retries without a time limit, so it runs in a thread, which is abandoned
    if the network is silent or termination is requested.

    Raises:
        ResourceError: if the network or the server is unreachable.
        DataError: if the server does not have the files, or they are not those that were expected.
    """
    # `logging` is the only place that has the cause while urllib3 retries.
    causes = _RetryCauses()
    urllib3 = logging.getLogger("urllib3.connectionpool")
    urllib3.addFilter(causes)
    downloads = Path(builder.data_dir_root) / "downloads"
    others = set(_unfinished(downloads, builder.name))
    received, since = 0, time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):  # here and not in the thread, which may never restore it
        attempt = _Attempt(builder, downloads)
        try:
            while attempt.thread.is_alive():
                context.termination.check()
                unfinished = set(_unfinished(downloads, builder.name)) - others
                total = sum(_size(path) for path in unfinished)
                if total != received or not unfinished:
                    received, since = total, time.monotonic()
                elif time.monotonic() - since > MAX_SILENT_SECONDS:
                    raise _unreachable(name, causes.last or f"nothing was received for {MAX_SILENT_SECONDS:.0f} s")
                attempt.thread.join(POLL_SECONDS)
        finally:
            urllib3.removeFilter(causes)
            attempt.abandon()
    if attempt.error is not None:
        raise _as_job_error(attempt.error, name, downloads.parent) from attempt.error


class _Attempt:
    """A thread that downloads and prepares."""

    def __init__(self, builder: Any, downloads: Path) -> None:
        self.error: Exception | None = None
        self._builder, self._downloads = builder, downloads
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def abandon(self) -> None:
        """Remove the folder that the thread still writes to."""
        folder = Path(self._builder.data_dir)  # the final one, except while the builder prepares the data set
        if self.thread.is_alive() and "incomplete." in folder.name:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self) -> None:
        import tensorflow_datasets as tfds

        # Google's mirror of prepared data sets would be a second way to get the same data, and to fail.
        config = tfds.download.DownloadConfig(try_download_gcs=False)
        try:
            self._builder.download_and_prepare(download_dir=self._downloads, download_config=config)
        except Exception as error:  # the network, the server, the archive and the disk raise various errors
            self.error = error


class _RetryCauses(logging.Filter):
    """Keeps the cause of urllib3's last retry in place of logging it."""

    last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) == 3:  # retries, cause and address
            self.last = str(record.args[1])
        return False


def _unfinished(downloads: Path, name: str) -> Iterator[Path]:
    """Yield the folders in which downloads are in progress, or were when a process was killed."""
    for folder, names, _ in os.walk(downloads / name):  # unlike rglob, it passes over folders that vanish meanwhile
        yield from (Path(folder, name) for name in names if ".tmp." in name)


def _size(folder: Path) -> int:
    with contextlib.suppress(OSError):  # a download that ends moves its file
        return sum(path.stat().st_size for path in folder.iterdir())
    return 0


def _as_job_error(error: Exception, name: str, folder: Path) -> JobError:
    import requests

    if is_disk_full(error, folder):
        return disk_full_error(folder)
    if isinstance(error, PermissionError):
        return DataError(
            f"no permission to write {error.filename}",
            expected="a writable folder to prepare the data set in",
            remedy="set example_gen.source.data_dir to a writable folder",
        )
    is_network_error = isinstance(error, (requests.RequestException, ConnectionError, TimeoutError))
    if is_network_error or RETRYABLE_STATUS.search(str(error)):
        return _unreachable(name, first_line(error))
    return DataError(
        f"`{name}` could not be downloaded and prepared: {first_line(error)}",
        expected="the original files on the server",
        remedy=f"set data_dir to a prepared copy, or {OTHER_DATA}",
    )


def _unreachable(name: str, cause: str) -> ResourceError:
    return ResourceError(
        f"`{name}` could not be downloaded: {cause}",
        expected="a network, and a server that is reachable",
        remedy=f"run the same command again once it is. Without a network, {OTHER_DATA}",
    )

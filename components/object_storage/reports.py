"""Reports of transfers to the listener of the process, which shows their progress."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import current_thread, main_thread
from typing import Protocol

from components.object_storage.objects import OnBytes, ignore_bytes


class TransferListener(Protocol):
    """Receives the progress of transfers."""

    def transfer(self, text: str, *, files: int, size: int) -> AbstractContextManager[OnBytes]:
        """Return a block in which files are transferred; its value is called with the bytes since the last call.

        Args:
            text: description, such as `downloading from s3://bucket/mnist`.
            files: their number.
            size: of all files, in bytes.
        """


_listener: TransferListener | None = None


@contextmanager
def transfers_reported_to(listener: TransferListener) -> Iterator[None]:
    """Report the transfers of the process to a listener while the block runs."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def report_transfer(text: str, *, files: int, size: int) -> AbstractContextManager[OnBytes]:
    """Return a block that reports its transfer; pass its value to `download_files` or `upload_files`.

    Transfers of other threads than the main one are not reported, because the job does not wait for them.
    """
    if _listener is None or current_thread() is not main_thread():
        return nullcontext(ignore_bytes)
    return _listener.transfer(text, files=files, size=size)

"""Messages between two processes: a line of JSON and some bytes, over a TCP connection."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

PROTOCOL = "mnist-job 1"
MAX_LINE_BYTES = 64 * 1024
CHUNK_BYTES = 1 << 20
POLL_SECONDS = 0.2
T = TypeVar("T")


class ConnectionLostError(Exception):
    """The other process closed the connection, was silent for too long, or sent something other than messages."""


class Messages(AbstractContextManager["Messages"]):
    """A connection that sends and receives messages; as a context manager, it is closed at the end of the block.

    Args:
        connection: a connected TCP socket.
        check: called while waiting; an exception that it raises ends the wait.
    """

    def __init__(self, connection: socket.socket, check: Callable[[], None]) -> None:
        self._connection = connection
        self._check = check
        self._buffer = bytearray()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def is_lost(self) -> bool:
        """Whether the other process closed the connection, and all its messages are read."""
        self._connection.settimeout(0)
        try:
            return not self._buffer and not self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, message: dict[str, Any], content: bytes = b"", *, seconds: float) -> None:
        """Send a message and its content.

        Raises:
            ConnectionLostError: if the other process closed the connection, or accepts no bytes for `seconds`. The
                whole content may take longer.
        """
        line = json.dumps({"protocol": PROTOCOL, "bytes": len(content), **message}) + "\n"
        for data in (line.encode(), content):
            rest = memoryview(data)
            while rest:
                rest = rest[self._attempt(partial(self._connection.send, rest[:CHUNK_BYTES]), seconds) :]

    def receive(self, *, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Return the next message and its content.

        Raises:
            ConnectionLostError: if there is none, or the other process sends nothing for `seconds`. The whole content
                may take longer.
        """
        message, size = self._receive_line(lambda: seconds)
        while len(self._buffer) < size:
            self._fill(seconds)
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        return message, content

    def receive_short(self, *, seconds: float) -> dict[str, Any]:
        """Return the next message, which must have no content.

        Raises:
            ConnectionLostError: if there is none, it is not complete after `seconds`, or it has content.
        """
        deadline = time.monotonic() + seconds
        message, size = self._receive_line(lambda: deadline - time.monotonic())
        if size:
            raise ConnectionLostError("the other process sent content that is not expected")
        return message

    def _receive_line(self, seconds: Callable[[], float]) -> tuple[dict[str, Any], int]:
        """Return the next message, and the size of its content."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ConnectionLostError("the other process does not use this protocol")
            self._fill(seconds())
        try:
            message = json.loads(bytes(self._buffer[:end]))
            size = message["bytes"] if message["protocol"] == PROTOCOL else -1
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConnectionLostError("the other process does not use this protocol") from error
        if type(size) is not int or size < 0:
            raise ConnectionLostError("the other process uses another version of the protocol")
        del self._buffer[: end + 1]
        return message, size

    def _fill(self, seconds: float) -> None:
        chunk = self._attempt(partial(self._connection.recv, CHUNK_BYTES), seconds)
        if not chunk:
            raise ConnectionLostError("the other process closed the connection")
        self._buffer += chunk

    def _attempt(self, operation: Callable[[], T], seconds: float) -> T:
        """Return the result of an operation of the socket as soon as it is possible."""
        self._connection.settimeout(POLL_SECONDS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._check()
            try:
                return operation()
            except TimeoutError:
                continue
            except OSError as error:
                raise ConnectionLostError(error.strerror or str(error)) from error
        raise ConnectionLostError("the other process was silent for too long")

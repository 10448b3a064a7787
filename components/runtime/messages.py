"""Messages between two processes: a line of JSON and some bytes, over a TCP connection."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

PROTOCOL = "mnist-job 1"
MAX_LINE_BYTES = 64 * 1024
CHUNK_BYTES = 1 << 20
POLL_SECONDS = 0.2


class ConnectionLostError(Exception):
    """The other process closed the connection, was silent for too long, or sent something other than messages."""


class Messages(AbstractContextManager["Messages"]):
    """A connection that sends and receives messages; as a context manager, it is closed at the end of the block.

    Args:
        connection: a connected TCP socket.
        check: called while waiting; an exception that it raises ends the wait.
        seconds: how long the other process may be silent.
    """

    def __init__(self, connection: socket.socket, check: Callable[[], None], *, seconds: float) -> None:
        self._connection = connection
        self._check = check
        self._seconds = seconds
        self._buffer = bytearray()

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, message: dict[str, Any], content: bytes = b"") -> None:
        """Send a message and its content; raise OSError if the other process does not receive them."""
        line = json.dumps({"protocol": PROTOCOL, "bytes": len(content), **message}) + "\n"
        self._connection.settimeout(self._seconds)
        self._connection.sendall(line.encode())
        self._connection.sendall(content)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """Return the next message and its content; raise ConnectionLostError if there is none."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ConnectionLostError("the other process does not use this protocol")
            self._fill()
        line = bytes(self._buffer[:end])
        try:
            message = json.loads(line)
            size = int(message["bytes"]) if message["protocol"] == PROTOCOL else -1
        except (ValueError, KeyError, TypeError) as error:
            raise ConnectionLostError("the other process does not use this protocol") from error
        if size < 0:
            raise ConnectionLostError("the other process uses another version of the protocol")
        del self._buffer[: end + 1]
        while len(self._buffer) < size:
            self._fill()
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        return message, content

    def _fill(self) -> None:
        self._connection.settimeout(POLL_SECONDS)
        deadline = time.monotonic() + self._seconds
        while True:
            self._check()
            try:
                chunk = self._connection.recv(CHUNK_BYTES)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise ConnectionLostError(f"the other process was silent for {self._seconds:g} s") from None
                continue
            except OSError as error:
                raise ConnectionLostError(error.strerror or str(error)) from error
            if not chunk:
                raise ConnectionLostError("the other process closed the connection")
            self._buffer += chunk
            return

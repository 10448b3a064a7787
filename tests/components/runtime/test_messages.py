"""Messages over a connection: limits of time, and checks while it waits."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from components.base.errors import TerminationError
from components.runtime import messages
from components.runtime.messages import ConnectionLostError, Messages

CONTENT = bytes(4_000_000)
READ_BYTES = 1 << 16


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "POLL_SECONDS", 0.01)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with closing(one), closing(other):
        yield one, other


def test_content_may_take_longer_than_the_limit(ends: tuple[socket.socket, socket.socket]) -> None:
    def read() -> None:
        time.sleep(0.01)  # about 60 times
        with suppress(BlockingIOError):
            ends[1].recv(READ_BYTES)

    ends[1].setblocking(False)  # noqa: FBT003  (the signature of sockets)
    Messages(ends[0], read).send({}, CONTENT, seconds=0.3)


def test_side_that_reads_nothing_is_lost(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(ConnectionLostError, match="silent"):
        Messages(ends[0], lambda: None).send({}, CONTENT, seconds=0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda each: each.send({}, CONTENT, seconds=30),
        lambda each: each.receive(seconds=30),
        lambda each: each.receive_short(seconds=30),
    ],
    ids=["send", "receive", "receive_short"],
)
def test_termination_ends_the_wait(
    ends: tuple[socket.socket, socket.socket], call: Callable[[Messages], object]
) -> None:
    checks = iter(range(5))

    def check() -> None:
        if next(checks, None) is None:
            raise TerminationError("the job was interrupted")

    with pytest.raises(TerminationError):
        call(Messages(ends[0], check))


def test_closed_connection_is_lost_once_it_is_read(ends: tuple[socket.socket, socket.socket]) -> None:
    receiver, sender = (Messages(end, lambda: None) for end in ends)
    sender.send({"number": 1}, seconds=1)
    assert not receiver.is_lost
    sender.close()
    assert not receiver.is_lost
    assert receiver.receive_short(seconds=1)["number"] == 1
    assert receiver.is_lost

"""The interfaces on which a worker listens."""

import socket
from contextlib import closing

import pytest

from components.runtime.endpoints import listen


@pytest.mark.parametrize(
    ("host", "bound"), [("127.0.0.2", "127.0.0.2"), ("localhost", "127.0.0.1"), ("node-7.invalid", "")]
)
def test_only_a_loopback_address_is_bound(host: str, bound: str) -> None:
    with closing(listen(f"{host}:0")) as server:
        address = server.getsockname()[0]
    assert address == bound or (not bound and address in ("::", "0.0.0.0"))  # noqa: S104  (compared only)


def test_port_in_use_is_an_error() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        for host in ("127.0.0.1", "node-7.invalid"):
            with pytest.raises(OSError, match="in use"):
                listen(f"{host}:{other.getsockname()[1]}")

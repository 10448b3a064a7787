"""Endpoints: host and port of a worker's address, and a socket that listens there."""

import ipaddress
import socket
from contextlib import suppress

LOCAL_NAME = "localhost"


def endpoint(address: str) -> tuple[str, int]:
    """Return host and port of an address.

    >>> endpoint("[::1]:2222")
    ('::1', 2222)
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_host(text: str) -> bool:
    """Return whether a text can be the host of an address: a name, an IPv4 address, or an IPv6 address in brackets.

    >>> is_host("node-1.cluster"), is_host("[::1]"), is_host("a..b"), is_host("a" * 64)
    (True, True, False, False)
    """
    try:
        if text.startswith("["):
            ipaddress.IPv6Address(text[1:-1])
        else:
            text.encode("idna")  # as Python does to connect, with a UnicodeError for labels that are too long
    except ValueError:
        return False
    return text.isprintable()


def listen(address: str) -> socket.socket:
    """Return a socket that listens on the port of this process's address; raise OSError if it cannot."""
    host, port = endpoint(address)
    if _is_loopback(host):
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # On all interfaces: the name can resolve to an address that none of them has, as that of a pod behind NAT, or on
    # this machine to 127.0.1.1, which others do not reach.
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # IPv6 may be disabled for this container
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == LOCAL_NAME

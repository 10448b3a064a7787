"""Network namespaces with different addresses, as of machines, whose links can be cut. They need root and `ip`."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

CLONE_NEWNET = 0x40000000
INTERFACE = "eth0"
CUT = ("ip", "link", "set", INTERFACE, "down")
"""The command that cuts the link of the namespace in which it runs."""


@cache
def why_skipped() -> str:
    """Return why this machine has no namespaces for tests, or an empty string."""
    if shutil.which("ip") is None:
        return "the program ip (iproute2) is missing"
    name = f"try-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"network namespaces need root: {done.stderr.strip()}"
    ip("netns", "delete", name)
    return ""


@contextmanager
def namespaces(count: int) -> Iterator[list[str]]:
    """Create namespaces that one bridge connects; their hosts are those of `address`."""
    prefix = f"mnist-{os.getpid()}"
    with ExitStack() as stack:

        def add(name: str) -> str:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
            ip("-n", name, "link", "set", "lo", "up")
            return name

        switch = add(f"{prefix}-switch")
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        names = [add(f"{prefix}-{index}") for index in range(count)]
        for index, name in enumerate(names):
            port = f"port{index}"
            ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", INTERFACE, "netns", name)
            ip("-n", switch, "link", "set", port, "master", "bridge", "up")
            ip("-n", name, "address", "add", f"{address(index)}/24", "dev", INTERFACE)
            ip("-n", name, "link", "set", INTERFACE, "up")
        yield names


def address(index: int) -> str:
    """Return the address of a namespace."""
    return f"10.217.0.{index + 1}"


def enter(name: str) -> None:
    """Move this thread, and those that it starts, to a namespace."""
    file = os.open(Path("/run/netns", name), os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
    finally:
        os.close(file)


def sent_bytes() -> int:
    """Return the bytes that the namespace of this thread has sent."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    (counters,) = (line.partition(":")[2].split() for line in lines if line.strip().startswith(f"{INTERFACE}:"))
    return int(counters[8])


def ip(*arguments: str) -> None:
    """Run the program ip."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)

"""An S3 server that is 20 ms away, behind a proxy that counts: a separate process, because they need memory.

    python -m tests.benchmarks.object_store

prints a JSON object: the `environment` of its clients, and the `url` of a bucket. For each line of its input it prints
the number of requests since the line before, and the bytes that they sent and received.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from tests.benchmarks.process_tree import read_tree
from tests.support.processes import REPOSITORY, environment

LATENCY_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """What was transferred.

    Attributes:
        requests: number of requests.
        sent: bytes of their bodies.
        received: bytes of the bodies of the responses.
    """

    requests: int = 0
    sent: int = 0
    received: int = 0


@dataclass
class ObjectStore:
    """The running process. A context manager.

    Attributes:
        environment: variables of its clients.
        url: URL of an empty bucket.
    """

    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def __enter__(self) -> ObjectStore:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.object_store"],
            cwd=REPOSITORY,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started = self._read()
        self.environment, self.url = started["environment"], started["url"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    def transferred(self) -> Transferred:
        """Return what was transferred since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Transferred(**self._read())

    def cpu(self) -> float:
        """Return the CPU-seconds of the server and the proxy since their start."""
        return read_tree(self._process.pid).cpu

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def main() -> None:
    from tests.support.faulty_proxy import FaultyProxy
    from tests.support.object_servers import s3_server

    with s3_server() as server, FaultyProxy(server.port, latency=LATENCY_SECONDS) as proxy:
        client = replace(server, port=proxy.port)
        print(json.dumps({"environment": client.environment, "url": f"s3://{server.create_bucket()}"}), flush=True)
        for _ in sys.stdin:
            requests = proxy.requests
            proxy.plan()
            sent, received = sum(one.sent for one in requests), sum(one.received for one in requests)
            print(json.dumps({"requests": len(requests), "sent": sent, "received": received}), flush=True)


if __name__ == "__main__":
    main()

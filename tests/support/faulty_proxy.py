"""A proxy in front of an object store that fails as a test plans, and records all requests.

    with FaultyProxy(server.port) as proxy:
        proxy.plan(Fault("reset_after", method="PUT", match="fingerprint.json"), error("SlowDown", count=3))
        ...
        assert proxy.count("GET", "/trainer/") == 4

As a program, for measurements: `python -m tests.support.faulty_proxy PORT --latency 0.02`.
"""

import argparse
import http.client
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Literal

Kind = Literal["status", "slow", "hang", "reset", "reset_after", "truncate", "trickle", "unconditional"]
FOREVER = 10**9
LISTED_TIME = re.compile(rb"(<LastModified>)([^<]+)")
"""In a list of S3; those of Azure are not moved."""
ACCESS_KEY = re.compile("Credential=([^/]+)/")
RESPONSE_MARK = "text-of-a-server-response"
"""Part of each response that the proxy makes; what the job prints and writes must not contain it."""
STATUS = {
    "SlowDown": 503,
    "ServiceUnavailable": 503,
    "InternalError": 500,
    "TooManyRequests": 429,
    "RequestTimeout": 400,
    "ConditionalRequestConflict": 409,
    "ExpiredToken": 400,
    "InvalidAccessKeyId": 403,
    "SignatureDoesNotMatch": 403,
    "AccessDenied": 403,
    "RequestTimeTooSkewed": 403,
    "NoSuchBucket": 404,
    "PermanentRedirect": 301,
    "AuthorizationHeaderMalformed": 400,
    "ServerBusy": 503,
    "OperationTimedOut": 500,
    "AuthenticationFailed": 403,
    "AuthorizationPermissionMismatch": 403,
    "ContainerNotFound": 404,
}
"""HTTP status of the error codes of S3, then of Azure (from their API references)."""


@dataclass(frozen=True)
class Request:
    """A request that the proxy received."""

    method: str
    path: str
    """With the query; the object's key is quoted as in a URL."""
    fault: str
    """Kind of its fault, or empty."""
    sent: int
    """Bytes of the request's body."""
    received: int
    """Bytes of the response's body, before a fault shortens it."""
    access_key: str
    """Of a request to S3; empty for others."""


@dataclass(frozen=True)
class Fault:
    """What happens to some requests.

    Args:
        kind: `status`: an error instead of the response; `slow`: a response after `seconds`; `hang`: none, and a reset
            after `seconds`; `reset`: the connection is reset before the server receives the request; `reset_after`: the
            server handles the request, its response is lost; `truncate`: half of the body, then a reset; `trickle`:
            `rate` bytes a second; `unconditional`: the conditions of a write are ignored, as by some stores (not
            for Azure, whose signatures include them).
        method: of the requests, such as `PUT`; all if empty.
        match: a regular expression that is searched in method, space and path.
        access_key: of the requests; all if empty.
        skip: number of matching requests that are handled first.
        every: only each n-th matching request fails.
        count: number of requests that fail.
        code: error code of a `status`.
        seconds: of `slow` and `hang`.
        rate: of `trickle`.
        call: called with the request before the fault; for `reset_after`, after the server has handled it.
    """

    kind: Kind
    method: str = ""
    match: str = ""
    access_key: str = ""
    skip: int = 0
    every: int = 1
    count: int = FOREVER
    code: str = "InternalError"
    seconds: float = 0.0
    rate: int = 1024
    call: Callable[[str], None] | None = None

    def matches(self, method: str, path: str, access_key: str = "") -> bool:
        same = self.method in ("", method) and self.access_key in ("", access_key)
        return same and re.search(self.match, f"{method} {path}") is not None


def error(code: str, **options: Any) -> Fault:
    """Return a fault with a response of S3 or Azure, by its error code; the options are those of `Fault`."""
    return Fault("status", code=code, **options)


class FaultyProxy:
    """Forwards requests to a port of this machine. A context manager; without a plan nothing fails.

    Args:
        upstream: port of the server.
        latency: seconds before each request is forwarded.
        clock: seconds that are added to all times of the server, for a machine whose clock differs from it.
        port: port of the proxy; 0 for a free one.
    """

    def __init__(self, upstream: int, *, latency: float = 0.0, clock: float = 0.0, port: int = 0) -> None:
        self.upstream, self.latency, self.clock = upstream, latency, clock
        self._faults: list[tuple[Fault, list[int]]] = []
        self._requests: list[Request] = []
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", port), self)
        self.port: int = self._server.server_port

    def __enter__(self) -> "FaultyProxy":
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def plan(self, *faults: Fault) -> None:
        """Replace the plan, and forget the requests so far. Of several faults that match, the first happens."""
        with self._lock:
            self._faults = [(fault, [0]) for fault in faults]
            self._requests = []

    @property
    def requests(self) -> list[Request]:
        """All requests since the last plan, in the order of their responses."""
        with self._lock:
            return [*self._requests]

    def count(self, method: str = "", match: str = "") -> int:
        """Return the number of requests with this method, whose method and path match a regular expression."""
        wanted = Fault("slow", method=method, match=match)
        return sum(wanted.matches(request.method, request.path) for request in self.requests)

    def fault_of(self, method: str, path: str, access_key: str) -> Fault | None:
        """Return the fault of the next request, and count it."""
        with self._lock:
            for fault, seen in self._faults:
                if fault.matches(method, path, access_key):
                    seen[0] += 1
                    number, other = divmod(seen[0] - fault.skip, fault.every)
                    if other == 0 and 0 < number <= fault.count:
                        return fault
        return None

    def record(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], proxy: FaultyProxy) -> None:
        self.proxy = proxy
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore connections that a killed client leaves."""


@dataclass(frozen=True)
class _Response:
    status: int
    headers: dict[str, str]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_request(self) -> None:
        self.body = self.read_body()
        self.fault = self.server.proxy.fault_of(self.command, self.path, self.access_key())
        time.sleep(self.server.proxy.latency)
        if self.fault is None:
            self.send(self.upstream())
        else:
            self.fail(self.fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self.chunks())
        body = self.rfile.read(length := int(self.headers.get("Content-Length") or 0))
        if len(body) < length:
            raise ConnectionError("the client ended during its request")
        return body

    def access_key(self) -> str:
        """Return the access key in the signature of S3."""
        found = re.search(r"Credential=([^/]+)", self.headers.get("Authorization", ""))
        return found[1] if found else ""

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def fail(self, fault: Fault) -> None:
        """Execute a fault."""
        if fault.kind != "reset_after" and fault.call is not None:
            fault.call(self.path)
        match fault.kind:
            case "status":
                self.send(error_response(fault.code))
            case "slow":
                time.sleep(fault.seconds)
                self.send(self.upstream())
            case "hang":
                time.sleep(fault.seconds)
                self.reset()
            case "reset":
                self.reset()
            case "reset_after":
                self.upstream()
                if fault.call is not None:
                    fault.call(self.path)
                self.reset()
            case "truncate":
                response = self.upstream()
                self.send_head(response)
                self.wfile.write(response.body[: len(response.body) // 2])
                self.abort()
            case "trickle":
                response = self.upstream()
                self.send_head(response)
                for start in range(0, len(response.body), part := max(1, fault.rate // 10)):
                    self.wfile.write(response.body[start : start + part])
                    time.sleep(0.1)
            case "unconditional":
                del self.headers["If-Match"], self.headers["If-None-Match"]
                self.send(self.upstream())

    def upstream(self) -> _Response:
        """Return the response of the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.proxy.upstream, timeout=60)
        dropped = ("transfer-encoding", "connection", "expect", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        headers["Content-Length"] = str(len(self.body))
        try:
            connection.request(self.command, self.path, self.body, headers)
            response = connection.getresponse()
            kept_length = ("content-length",) if self.command == "HEAD" else ()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in dropped or name.lower() in kept_length
            }
            return self.shift(_Response(response.status, headers, response.read()))
        finally:
            connection.close()

    def shift(self, response: _Response) -> _Response:
        """Return a response with the times of the clock."""
        if not (seconds := self.server.proxy.clock):
            return response
        headers = {
            name: formatdate(parsedate_to_datetime(value).timestamp() + seconds, usegmt=True)
            if name.lower() in ("date", "last-modified")
            else value
            for name, value in response.headers.items()
        }

        def moved(match: re.Match[bytes]) -> bytes:
            time = datetime.fromisoformat(match[2].decode()) + timedelta(seconds=seconds)
            return match[1] + time.strftime("%Y-%m-%dT%H:%M:%SZ").encode()

        return replace(response, headers=headers, body=LISTED_TIME.sub(moved, response.body))

    def send(self, response: _Response) -> None:
        self.send_head(response)
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def send_head(self, response: _Response) -> None:
        self.record(len(response.body))
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.command != "HEAD" and response.status not in (204, 304):
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()

    def reset(self) -> None:
        self.record(0)
        self.abort()

    def abort(self) -> None:
        """Close the connection with RST, as a server that crashes."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def record(self, received: int) -> None:
        """Record the request, before the client receives the end of its response."""
        kind = "" if self.fault is None else self.fault.kind
        credential = ACCESS_KEY.search(self.headers.get("Authorization", ""))
        access_key = "" if credential is None else credential[1]
        self.server.proxy.record(Request(self.command, self.path, kind, len(self.body), received, access_key))


def error_response(code: str) -> _Response:
    """Return an error as S3 and Azure send it; a wrong region has no redirect, as that of S3."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{RESPONSE_MARK}</Message>'
        f"<RequestId>{RESPONSE_MARK}</RequestId></Error>"
    )
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code, "x-amz-request-id": RESPONSE_MARK}
    return _Response(STATUS[code], headers, body.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description="Forward requests with a latency.")
    parser.add_argument("upstream", type=int, help="port of the server")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each request")
    parser.add_argument("--port", type=int, default=0, help="port of the proxy")
    options = parser.parse_args()
    with FaultyProxy(options.upstream, latency=options.latency, port=options.port) as proxy:
        print(proxy.port, flush=True)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


if __name__ == "__main__":
    main()

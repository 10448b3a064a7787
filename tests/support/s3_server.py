"""An S3 server (moto) on a free port, as a separate process; prints the port, and ends when its input is closed."""

import sys
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Application = Callable[..., Iterable[bytes]]


class AtomicWrites:
    """Handles one changing request at a time.

    moto checks the condition of a write before it stores the object: two concurrent creations of a key would succeed.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._application(environ, start_response)
        with self._lock:
            return [*self._application(environ, start_response)]


def main() -> None:
    application = AtomicWrites(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

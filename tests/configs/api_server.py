"""Enough of a Kubernetes API server for a real kubectl to apply and delete things; it keeps them, and what was asked.

It runs nothing, and knows of a Job only that it cannot be changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

KINDS = {"configmaps": "ConfigMap", "persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod", "jobs": "Job"}
GROUPS = {"/api/v1": ["configmaps", "persistentvolumeclaims", "pods"], "/apis/batch/v1": ["jobs"]}


def discovery() -> dict[str, Any]:
    """Return what kubectl asks for before anything else: which kinds there are, and where."""
    batch = {"groupVersion": "batch/v1", "version": "v1"}
    served: dict[str, Any] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [{"name": "batch", "versions": [batch], "preferredVersion": batch}],
        },
        "/openapi/v3": {"paths": {path[1:]: {"serverRelativeURL": f"/openapi/v3{path}"} for path in GROUPS}},
    }
    for path, plurals in GROUPS.items():
        group, version = "batch" if "batch" in path else "", "v1"
        served[path] = {
            "kind": "APIResourceList",
            "groupVersion": f"{group}/{version}".lstrip("/"),
            "resources": [
                {"name": plural, "kind": KINDS[plural], "namespaced": True, "singularName": "", "verbs": []}
                for plural in plurals
            ],
        }
        # That the server checks fields by itself, so that kubectl need not.
        served[f"/openapi/v3{path}"] = {
            "openapi": "3.0.0",
            "paths": {
                f"{path}/namespaces/{{namespace}}/{plural}/{{name}}": {
                    "patch": {
                        "parameters": [{"name": "fieldValidation", "in": "query"}],
                        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": KINDS[plural]},
                    }
                }
                for plural in plurals
            },
        }
    return served


class Cluster(ThreadingHTTPServer):
    """What was made, by its path, and every request that changes something, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = discovery()
        self.changes: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers as the API does: 404 for what is not there, 422 for a Job that is to be changed."""

    server: Cluster

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.answer(200, self.server.objects[path]) if path in self.server.objects else self.fail(404, "NotFound")

    def do_POST(self) -> None:
        made = self.change()
        self.server.objects[f"{urlsplit(self.path).path}/{made['metadata']['name']}"] = made
        self.answer(201, made)

    def do_PATCH(self) -> None:
        self.change()
        path = urlsplit(self.path).path
        self.fail(422, "Invalid") if "/jobs/" in path else self.answer(200, self.server.objects[path])

    def do_DELETE(self) -> None:
        self.change()
        gone = self.server.objects.pop(urlsplit(self.path).path, None)
        self.answer(200, gone) if gone else self.fail(404, "NotFound")

    def change(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.changes.append((self.command, urlsplit(self.path).path, body))
        return body

    def fail(self, code: int, reason: str) -> None:
        self.answer(code, {"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": reason})

    def answer(self, code: int, body: dict[str, Any]) -> None:
        encoded = json.dumps({"apiVersion": "v1", **body}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def running() -> Iterator[Cluster]:
    """Serve for as long as the block runs."""
    with Cluster() as cluster:
        thread = Thread(target=cluster.serve_forever, args=[0.05])
        thread.start()
        try:
            yield cluster
        finally:
            cluster.shutdown()
            thread.join()

"""A fake Kubernetes API server, complete enough for a real kubectl to create, change and delete objects.

It stores objects and records every change. It runs no pods. As in Kubernetes, a Job cannot be changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

KINDS = {
    "configmaps": "ConfigMap",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "pods": "Pod",
    "serviceaccounts": "ServiceAccount",
    "services": "Service",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "networkpolicies": "NetworkPolicy",
    "jobsets": "JobSet",
}
GROUPS = {
    "v1": ["configmaps", "persistentvolumeclaims", "pods", "serviceaccounts", "services"],
    "batch/v1": ["jobs", "cronjobs"],
    "networking.k8s.io/v1": ["networkpolicies"],
    "jobset.x-k8s.io/v1alpha2": ["jobsets"],
}


def discovery() -> dict[str, Any]:
    """Return the discovery documents that kubectl requests first: API groups, kinds and their paths."""
    served: dict[str, Any] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "groups": []},
        "/openapi/v3": {"paths": {}},
    }
    for name, plurals in GROUPS.items():
        group, _, version = name.rpartition("/")
        path = f"/apis/{name}" if group else f"/api/{name}"
        if group:
            described = {"groupVersion": name, "version": version}
            served["/apis"]["groups"].append({"name": group, "versions": [described], "preferredVersion": described})
        served["/openapi/v3"]["paths"][path[1:]] = {"serverRelativeURL": f"/openapi/v3{path}"}
        served[path] = {
            "kind": "APIResourceList",
            "groupVersion": name,
            "resources": [
                {"name": plural, "kind": KINDS[plural], "namespaced": True, "singularName": "", "verbs": []}
                for plural in plurals
            ],
        }
        # Declares server-side field validation; otherwise kubectl downloads the schemas and validates itself.
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


class ApiServer(ThreadingHTTPServer):
    """Objects by path, and all changing requests in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = discovery()
        self.changes: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Responds like the API: 404 for a missing object, 422 for a change of a Job or JobSet."""

    server: ApiServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.respond(200, self.server.objects[path]) if path in self.server.objects else self.fail(404, "NotFound")

    def do_POST(self) -> None:
        created = self.change()
        self.server.objects[f"{urlsplit(self.path).path}/{created['metadata']['name']}"] = created
        self.respond(201, created)

    def do_PATCH(self) -> None:
        self.change()
        path = urlsplit(self.path).path
        immutable = "/jobs/" in path or "/jobsets/" in path
        self.fail(422, "Invalid") if immutable else self.respond(200, self.server.objects[path])

    def do_DELETE(self) -> None:
        self.change()
        deleted = self.server.objects.pop(urlsplit(self.path).path, None)
        self.respond(200, deleted) if deleted else self.fail(404, "NotFound")

    def change(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.changes.append((self.command, urlsplit(self.path).path, body))
        return body

    def fail(self, code: int, reason: str) -> None:
        self.respond(code, {"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": reason})

    def respond(self, code: int, body: dict[str, Any]) -> None:
        encoded = json.dumps({"apiVersion": "v1", **body}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def running() -> Iterator[ApiServer]:
    """Run a server for the duration of the block."""
    with ApiServer() as cluster:
        thread = Thread(target=cluster.serve_forever, args=[0.05])
        thread.start()
        try:
            yield cluster
        finally:
            cluster.shutdown()
            thread.join()

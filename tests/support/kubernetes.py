"""A real Kubernetes cluster, named by KUBECONFIG: a namespace for a module of tests, and Jobs of the shipped overlays.

The overlays are submitted by the shipped script, with another configuration, from a copy of configs/kubernetes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from tests.support.object_servers import ObjectServer
from tests.support.processes import REPOSITORY, wait_until

MINIMUM = (1, 31)
"""Version in which the pod failure policy became stable."""
REQUESTED = "CLUSTER_TEST"
"""Variable that `make cluster-test` sets; without it, no test creates anything in a cluster."""
WHY_SKIPPED = (
    "no cluster to test: set KUBECONFIG to a cluster of Kubernetes 1.31 or newer, push the CPU image to a registry "
    "of that cluster, and run `make cluster-test JOB_IMAGE=IMAGE`"
)
SMALLER = {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
"""Resources with which two pods and the control plane fit on a small machine."""
S3_PORT = 5000
S3_SERVER = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: s3, labels: {{app: s3}}}}
spec:
  securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: s3
      image: {os.environ.get("S3_IMAGE", f"motoserver/moto:{version('moto')}")}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
      env: [{{name: HOME, value: /tmp}}]
      readinessProbe: {{tcpSocket: {{port: {S3_PORT}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: s3}}
spec: {{selector: {{app: s3}}, ports: [{{port: {S3_PORT}}}]}}
"""


def kubectl(*arguments: object, stdin: str | None = None, check: bool = True) -> str:
    """Run kubectl and return its standard output."""
    done = subprocess.run(
        ["kubectl", *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=180, check=False
    )
    assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


@cache
def has_cluster() -> bool:
    """Return whether a cluster was requested, is reachable and is new enough."""
    if not os.environ.get(REQUESTED) or not os.environ.get("KUBECONFIG") or shutil.which("kubectl") is None:
        return False
    found = kubectl("get", "--raw", "/version", check=False)
    if not found:
        return False
    version = json.loads(found)
    return (int(version["major"]), int(version["minor"].rstrip("+"))) >= MINIMUM


@dataclass(frozen=True)
class KubernetesJob:
    """A submitted Job, or one of a JobSet or CronJob."""

    namespace: Namespace
    name: str

    def get(self) -> dict[str, Any]:
        """Return the object of the Job; empty if there is none yet."""
        found = self.namespace.kubectl("get", "job", self.name, "--ignore-not-found", "--output=json")
        return dict(json.loads(found or "{}"))

    @property
    def pods(self) -> list[dict[str, Any]]:
        """The pods of the Job, the oldest first."""
        selector = f"--selector=batch.kubernetes.io/job-name={self.name}"
        found = json.loads(self.namespace.kubectl("get", "pods", selector, "--output=json"))["items"]
        return sorted(found, key=lambda pod: pod["metadata"]["creationTimestamp"])

    @property
    def running(self) -> list[dict[str, Any]]:
        """The pods that run and are not being terminated."""
        return [
            pod
            for pod in self.pods
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    @property
    def exit_codes(self) -> list[int]:
        """The exit codes of the pods that have ended, the oldest pod first."""
        statuses = [status for pod in self.pods for status in pod["status"].get("containerStatuses", ())]
        return [status["state"]["terminated"]["exitCode"] for status in statuses if "terminated" in status["state"]]

    def events(self, index: int | None = None) -> list[str]:
        """Return the events in the logs of the pods, such as `resumed`; those of one index, or of all."""
        lines = []
        for pod in self.pods:
            own = pod["metadata"]["labels"].get("batch.kubernetes.io/job-completion-index")
            if index is None or own == str(index):
                lines += self.namespace.kubectl("logs", pod["metadata"]["name"], check=False).splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]

    def wait_for_event(self, event: str, *, count: int = 1, index: int | None = None) -> None:
        wait_until(lambda: self.events(index).count(event) >= count, self.describe, seconds=300)

    def end(self, *, seconds: float = 300) -> tuple[str, str]:
        """Wait for the end, and return `Complete` or `Failed`, and the reason."""

        def ending() -> list[dict[str, Any]]:
            conditions = self.get().get("status", {}).get("conditions", ())
            return [one for one in conditions if one["type"] in ("Complete", "Failed") and one["status"] == "True"]

        wait_until(ending, self.describe, seconds=seconds)
        (condition,) = ending()
        return condition["type"], condition.get("reason", "")

    def describe(self) -> str:
        """Return descriptions and logs of the Job and its pods, for the message of a failed assertion."""
        kinds = "jobs,jobsets" if self.namespace.has_jobsets else "jobs"
        shown = [self.namespace.kubectl("describe", f"{kinds},pods", check=False)]
        shown += [self.namespace.kubectl("logs", pod["metadata"]["name"], check=False) for pod in self.pods]
        return "\n".join(shown)


@dataclass(frozen=True)
class Namespace:
    """A namespace of the cluster, in which the pods have no more rights than those of the overlays."""

    name: str
    image: str
    has_jobsets: bool
    one_node: bool

    def kubectl(self, *arguments: object, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in the namespace."""
        return kubectl(f"--namespace={self.name}", *arguments, stdin=stdin, check=check)

    def submit(
        self,
        folder: Path,
        overlay: str,
        config: Mapping[str, object],
        *,
        spec: Mapping[str, object] | None = None,
        files: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        bucket: str = "",
    ) -> KubernetesJob:
        """Submit an overlay with another configuration, and return its Job.

        Args:
            folder: an empty folder, for a copy of the manifests.
            overlay: name of the overlay.
            config: the configuration.
            spec: fields of the specification of the Job.
            files: further files beside the configuration, such as modules.
            variables: environment variables of the container.
            bucket: name of the bucket that has the root of the overlay `object-store`.
        """
        copy = shutil.copytree(REPOSITORY / "configs" / "kubernetes", folder / "configs" / "kubernetes")
        (folder / "docker").mkdir()
        shutil.copy(REPOSITORY / "docker" / "check-name.sh", folder / "docker")
        for word, value in {"s3://BUCKET": f"s3://{bucket}", "value: REGION": "value: us-east-1"}.items():
            _replace(copy / "overlays" / "object-store" / "storage.yaml", word, value)
        if self.one_node:  # two pods of a node can share a volume that one node mounts
            _replace(copy / "overlays" / "multi-worker" / "kustomization.yaml", "[ReadWriteMany]", "[ReadWriteOnce]")
        for name in ("cpu", "multi-worker"):
            own = copy / "overlays" / name
            (own / "config.yaml").write_text(yaml.safe_dump(dict(config)))
            for file, text in (files or {}).items():
                (own / file).write_text(text)
                _replace(own / "kustomization.yaml", "- config.yaml\n", f"- config.yaml\n      - {file}\n")
        environment = [{"name": name, "value": value} for name, value in (variables or {}).items()]
        container = {"name": "job", "resources": SMALLER, "env": environment}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "mnist-job"}}
        job["spec"] = {**(spec or {}), "template": {"spec": {"containers": [container]}}}
        with (copy / "base" / "kustomization.yaml").open("a") as base:
            yaml.safe_dump({"patches": [{"patch": yaml.safe_dump(job)}]}, base)
        done = subprocess.run(
            [str(copy / "submit.sh"), overlay, self.image, f"--namespace={self.name}"],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return KubernetesJob(self, "mnist-job-worker-0" if overlay == "jobset" else "mnist-job")

    @contextmanager
    def object_store(self) -> Iterator[str]:
        """Run an S3 server in the namespace, with the Secret that the overlay `object-store` reads; yield a bucket."""
        self.kubectl("apply", "--filename=-", stdin=S3_SERVER)
        self.kubectl("wait", "--for=condition=Ready", "pod/s3", "--timeout=180s")
        command = ["kubectl", f"--namespace={self.name}", "port-forward", "pod/s3", f":{S3_PORT}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
            try:
                assert forwarding.stdout is not None
                # Forwarding from 127.0.0.1:40123 -> 5000
                server = ObjectServer("s3", int(forwarding.stdout.readline().split(":")[1].split()[0]))
                variables = {**server.environment, "AWS_ENDPOINT_URL": f"http://s3:{S3_PORT}"}
                secret = {"kind": "Secret", "metadata": {"name": "mnist-job-credentials"}, "stringData": variables}
                self.kubectl("create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", **secret}))
                yield server.create_bucket()
            finally:
                forwarding.terminate()

    def evict(self, pod: Mapping[str, Any]) -> None:
        """Evict a pod, as `kubectl drain` does with all pods of a node."""
        name = pod["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        path = f"/api/v1/namespaces/{self.name}/pods/{name}/eviction"
        kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(eviction))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, path
    path.write_text(text.replace(old, new))


@contextmanager
def temporary_namespace(image: str) -> Iterator[Namespace]:
    """Create a namespace that enforces the Pod Security level `restricted`, and delete it at the end of the block."""
    name = f"mnist-job-test-{secrets.token_hex(3)}"
    metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    kubectl("create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    try:
        kinds = kubectl("api-resources", "--output=name").split()
        nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
        yield Namespace(name, image, "jobsets.jobset.x-k8s.io" in kinds, len(nodes) == 1)
    finally:
        kubectl("delete", "namespace", name, "--wait=false")

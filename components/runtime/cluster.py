"""The cluster of this process, read from the environment variables of TensorFlow, Kubernetes or Slurm."""

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.base.cluster import Cluster
from components.base.errors import ConfigError
from components.runtime.endpoints import is_host

DEFAULT_PORT = 2222
"""Default port of a worker in Kubernetes, as in Kubeflow's TFJob."""
SLURM_PORTS = range(12_000, 28_384)
"""Ports of workers in Slurm: below 32768, from where Linux assigns ports to outgoing connections."""
SLURM_PORTS_PER_STEP = 16
"""Distance between the first ports of two steps, which may share a node."""
ADDRESS = re.compile(r"(?P<host>[^\s:/]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})", re.ASCII)
NODES = re.compile(r"((?:[^,\[\]]|\[[^\[\]]*\])+)(?:,|$)", re.ASCII)
"""One item of a list of nodes, such as `gpu[01-03,07]`."""
TASKS = re.compile(r"(\d+)(?:\(x(\d+)\))?", re.ASCII)
"""Tasks per node: `2`, or `2(x3)` for three nodes with two tasks each."""


def find_cluster(environ: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster of `TF_CONFIG`, Kubernetes or Slurm, the first that the environment has, or None.

    Raises:
        ConfigError: if a variable is malformed or missing.

    >>> worker = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "1", "SLURM_STEP_NODELIST": "gpu[08-09]"}
    >>> find_cluster({**worker, "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}).workers
    ('gpu08:12784', 'gpu09:12784')
    >>> find_cluster({}) is None
    True
    """
    for find in (_tf_config, _kubernetes, _slurm):
        if (cluster := find(environ)) is not None:
            return _checked(cluster)
    return None


def require_cluster(environ: Mapping[str, str] = os.environ) -> Cluster:
    """Return the cluster that the environment names; raise ConfigError if it names none."""
    if (cluster := find_cluster(environ)) is None:
        raise ConfigError(
            "trainer.strategy is multi_worker, but the environment names no workers",
            expected="TF_CONFIG, an Indexed Job of Kubernetes with JOB_WORKERS, or tasks that Slurm's `srun` starts",
            remedy="start each worker with one of them, or set trainer.strategy to one_device",
        )
    return cluster


def _tf_config(environ: Mapping[str, str]) -> Cluster | None:
    """Return the cluster of https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config."""
    if not (text := environ.get("TF_CONFIG", "").strip()):
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _malformed("TF_CONFIG", "is not JSON") from error
    cluster, task = (content.get(key) if isinstance(content, dict) else None for key in ("cluster", "task"))
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _malformed("TF_CONFIG", "is not an object with `cluster` and `task`")
    chiefs, others = (_addresses(cluster, kind) for kind in ("chief", "worker"))
    kind, index = task.get("type"), task.get("index")
    number = int(index) if isinstance(index, int | str) and str(index).isdecimal() else -1
    own = {"chief": chiefs, "worker": others}.get(str(kind), [])
    if not 0 <= number < len(own):
        raise _malformed("TF_CONFIG", f"has no address for the task {kind} {index}")
    return Cluster(
        workers=(*chiefs, *others), index=number + (len(chiefs) if kind == "worker" else 0), source="TF_CONFIG"
    )


def _addresses(cluster: Mapping[str, Any], kind: str) -> list[str]:
    addresses = cluster.get(kind, [])
    if not isinstance(addresses, list):
        raise _malformed("TF_CONFIG", f"has no list of addresses at cluster.{kind}")
    return [str(address) for address in addresses]


def _kubernetes(environ: Mapping[str, str]) -> Cluster | None:
    """Return the cluster of an Indexed Job, whose pods are called `<job>-<index>.<service>`."""
    if "JOB_COMPLETION_INDEX" not in environ or "JOB_WORKERS" not in environ:
        return None
    index, count = _number(environ, "JOB_COMPLETION_INDEX"), _number(environ, "JOB_WORKERS")
    service, port = _text(environ, "JOB_WORKER_SERVICE"), _number(environ, "JOB_WORKER_PORT", DEFAULT_PORT)
    host, suffix = _text(environ, "HOSTNAME").partition(".")[0], f"-{index}"
    if not host.endswith(suffix):
        raise _malformed("HOSTNAME", f"is {host}, which does not end with the index of the pod, {suffix}")
    job = host.removesuffix(suffix)
    workers = tuple(f"{job}-{number}.{service}:{port}" for number in range(count))
    return Cluster(workers=workers, index=index, source="Kubernetes")


def _slurm(environ: Mapping[str, str]) -> Cluster | None:
    """Return the cluster of a step that `srun` started; None in the batch script itself."""
    if "SLURM_PROCID" not in environ or "SLURM_STEP_NODELIST" not in environ:
        return None
    index = _number(environ, "SLURM_PROCID")
    job, step = _number(environ, "SLURM_JOB_ID"), _number(environ, "SLURM_STEP_ID", 0)
    nodes = list(_nodes(_text(environ, "SLURM_STEP_NODELIST")))
    tasks = list(_tasks(_text(environ, "SLURM_STEP_TASKS_PER_NODE")))
    if len(tasks) != len(nodes):
        raise _malformed("SLURM_STEP_TASKS_PER_NODE", f"has {len(tasks)} nodes, SLURM_STEP_NODELIST has {len(nodes)}")
    steps = len(SLURM_PORTS) // SLURM_PORTS_PER_STEP
    first_port = SLURM_PORTS.start + (job * 7 + step) % steps * SLURM_PORTS_PER_STEP
    first_port = _number(environ, "JOB_WORKER_PORT", first_port)
    workers = [
        (number, f"{node}:{first_port + local}")
        for number, (node, count) in enumerate(zip(nodes, tasks, strict=True))
        for local in range(count)
    ]
    own_node = workers[index][0] if index < len(workers) else 0
    if _number(environ, "SLURM_NODEID", own_node) != own_node:
        raise _malformed("SLURM_PROCID", "does not number the tasks node by node: use `srun --distribution=block`")
    return Cluster(workers=tuple(address for _, address in workers), index=index, source="Slurm")


def _nodes(text: str) -> Iterator[str]:
    """Yield the nodes of a list such as `login,gpu[08-10,12]`."""
    items = NODES.findall(text)
    if ",".join(items) != text:
        raise _malformed("SLURM_STEP_NODELIST", f"is {text}, which is not a list of nodes")
    for item in items:
        parts = re.split(r"\[([^\[\]]*)\]", item)  # at odd positions: ranges
        ranges = [list(_range(part)) if number % 2 else [part] for number, part in enumerate(parts)]
        yield from map("".join, itertools.product(*ranges))


def _range(text: str) -> Iterator[str]:
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise _malformed("SLURM_STEP_NODELIST", f"has the range [{text}], which is not a range of numbers")
        yield from (f"{number:0{len(first)}}" for number in range(int(first), int(last or first) + 1))


def _tasks(text: str) -> Iterator[int]:
    for part in text.split(","):
        if (match := TASKS.fullmatch(part)) is None:
            raise _malformed("SLURM_STEP_TASKS_PER_NODE", f"is {text}, which is not a list of task counts")
        yield from itertools.repeat(int(match[1]), int(match[2] or 1))


def _checked(cluster: Cluster) -> Cluster:
    for address in cluster.workers:
        match = ADDRESS.fullmatch(address)
        if match is None or not is_host(match["host"]) or not 0 < int(match["port"]) < 2**16:
            raise _malformed(cluster.source, f"names the worker {address!r}, which is not `host:port`")
        if cluster.workers.count(address) > 1:
            raise _malformed(cluster.source, f"names the worker {address} more than once")
    if cluster.index >= len(cluster.workers):
        raise _malformed(
            cluster.source, f"names {len(cluster.workers)} workers, but this one has the index {cluster.index}"
        )
    return cluster


def _text(environ: Mapping[str, str], name: str) -> str:
    if not (text := environ.get(name, "").strip()):
        raise _malformed(name, "is not set")
    return text


def _number(environ: Mapping[str, str], name: str, default: int | None = None) -> int:
    if default is not None and not environ.get(name, "").strip():
        return default
    if not (text := _text(environ, name)).isdecimal():
        raise _malformed(name, f"is {text}, which is not a number")
    return int(text)


def _malformed(where: str, problem: str) -> ConfigError:
    return ConfigError(
        f"the workers cannot be determined: {where} {problem}",
        expected="TF_CONFIG, or the variables of a Kubernetes Indexed Job or a Slurm step",
        remedy="correct the variable, or set trainer.strategy to one_device",
    )

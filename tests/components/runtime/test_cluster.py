"""The cluster that the environment variables of TensorFlow, Kubernetes and Slurm name."""

import json
from typing import Any

import pytest

from components.base.errors import ConfigError
from components.runtime.cluster import find_cluster, require_cluster


def tf_config(cluster: Any, kind: str = "worker", index: Any = 0) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def pod(**variables: str) -> dict[str, str]:
    names = {"HOSTNAME": "digits-2", "JOB_COMPLETION_INDEX": "2", "JOB_WORKERS": "3", "JOB_WORKER_SERVICE": "workers"}
    return {**names, **variables}


def task(nodes: str, tasks: str, index: str, **variables: str) -> dict[str, str]:
    names = {"SLURM_JOB_ID": "0", "SLURM_STEP_NODELIST": nodes, "SLURM_STEP_TASKS_PER_NODE": tasks}
    return {**names, "SLURM_PROCID": index, **variables}


@pytest.mark.parametrize(
    ("environ", "workers", "index", "source"),
    [
        (tf_config({"worker": ["a:1", "b:2"]}, index=1), ["a:1", "b:2"], 1, "TF_CONFIG"),
        (tf_config({"worker": ["[::1]:1"]}, index="0"), ["[::1]:1"], 0, "TF_CONFIG"),
        (tf_config({"chief": ["c:1"], "worker": ["a:1", "b:1"]}, index=1), ["c:1", "a:1", "b:1"], 2, "TF_CONFIG"),
        (tf_config({"chief": ["c:1"], "worker": ["a:1"]}, kind="chief"), ["c:1", "a:1"], 0, "TF_CONFIG"),
        (pod(), [f"digits-{n}.workers:2222" for n in range(3)], 2, "Kubernetes"),
        (pod(HOSTNAME="digits-2.workers.ml.svc"), [f"digits-{n}.workers:2222" for n in range(3)], 2, "Kubernetes"),
        (pod(JOB_WORKER_PORT="99"), [f"digits-{n}.workers:99" for n in range(3)], 2, "Kubernetes"),
        (task("n1", "2", "1"), ["n1:12000", "n1:12001"], 1, "Slurm"),
        (
            task("a,n[08-10]", "1(x3),2", "4"),
            ["a:12000", "n08:12000", "n09:12000", "n10:12000", "n10:12001"],
            4,
            "Slurm",
        ),
        (task("r[1-2]n[1,3]", "1(x4)", "0"), [f"r{r}n{n}:12000" for r in (1, 2) for n in (1, 3)], 0, "Slurm"),
        (task("n1", "1", "0", SLURM_JOB_ID="1", SLURM_STEP_ID="2"), ["n1:12144"], 0, "Slurm"),
        (task("n1", "1", "0", JOB_WORKER_PORT="99"), ["n1:99"], 0, "Slurm"),
    ],
)
def test_cluster_is_found(environ: dict[str, str], workers: list[str], index: int, source: str) -> None:
    cluster = find_cluster(environ)
    assert cluster is not None
    assert (list(cluster.workers), cluster.index, cluster.source) == (workers, index, source)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"TF_CONFIG": ""},
        {"JOB_COMPLETION_INDEX": "0"},  # the pods of an Indexed Job may be independent of each other
        {"SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "SLURM_NTASKS": "2"},  # the script of sbatch, without srun
    ],
)
def test_environment_without_workers_has_no_cluster(environ: dict[str, str]) -> None:
    assert find_cluster(environ) is None
    with pytest.raises(ConfigError, match="the environment names no workers"):
        require_cluster(environ)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"TF_CONFIG": "{"}, "TF_CONFIG is not JSON"),
        ({"TF_CONFIG": "[]"}, "TF_CONFIG is not an object with `cluster` and `task`"),
        (tf_config({"worker": "a:1"}), "TF_CONFIG has no list of addresses at cluster.worker"),
        (tf_config({"worker": ["a:1"]}, index=1), "TF_CONFIG has no address for the task worker 1"),
        (tf_config({"worker": ["a:1"]}, index=None), "TF_CONFIG has no address for the task worker None"),
        (tf_config({"worker": ["a:1"], "ps": ["b:1"]}, kind="ps"), "TF_CONFIG has no address for the task ps 0"),
        (tf_config({"worker": ["a"]}), "TF_CONFIG names the worker 'a', which is not `host:port`"),
        (tf_config({"worker": ["a..b:1"]}), "TF_CONFIG names the worker 'a..b:1', which is not `host:port`"),
        (tf_config({"worker": ["a" * 64 + ":1"]}), "TF_CONFIG names the worker 'a{64}:1', which is not `host:port`"),
        (tf_config({"worker": ["a\0b:1"]}), "TF_CONFIG names the worker .*, which is not `host:port`"),
        (tf_config({"worker": ["[:::]:1"]}), r"TF_CONFIG names the worker '\[:::\]:1', which is not `host:port`"),
        (tf_config({"worker": ["a:70000"]}), "TF_CONFIG names the worker 'a:70000', which is not `host:port`"),
        (tf_config({"worker": ["a:1", "a:1"]}), "TF_CONFIG names the worker a:1 more than once"),
        (pod(JOB_WORKERS="many"), "JOB_WORKERS is many, which is not a number"),
        (pod(JOB_WORKERS="2"), "Kubernetes names 2 workers, but this one has the index 2"),
        (pod(JOB_WORKER_SERVICE=""), "JOB_WORKER_SERVICE is not set"),
        (pod(HOSTNAME="node7"), "HOSTNAME is node7, which does not end with the index of the pod, -2"),
        (task("n[1-2", "1", "0"), r"SLURM_STEP_NODELIST is n\[1-2, which is not a list of nodes"),
        (task("n[a-b]", "1", "0"), r"SLURM_STEP_NODELIST has the range \[a-b\], which is not a range of numbers"),
        (task("n[1-2]", "1", "0"), "SLURM_STEP_TASKS_PER_NODE has 1 nodes, SLURM_STEP_NODELIST has 2"),
        (task("n1", "2x", "0"), "SLURM_STEP_TASKS_PER_NODE is 2x, which is not a list of task counts"),
        (task("n[1-2]", "2(x2)", "1", SLURM_NODEID="1"), "SLURM_PROCID does not number the tasks node by node"),
        (task("n1", "2", "2"), "Slurm names 2 workers, but this one has the index 2"),
    ],
)
def test_malformed_variable_is_a_config_error(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"the workers cannot be determined: {problem}"):
        find_cluster(environ)

"""`doctor` checks the workers that the environment names."""

import json
import socket

import pytest

from job.commands.check_cluster import check_cluster
from tests.support.job_workers import tf_config
from tests.support.ports import free_ports


def test_without_a_cluster_there_is_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert check_cluster() is None


def test_workers_that_resolve_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    (variables,) = tf_config(2, indices=[1])
    monkeypatch.setenv("TF_CONFIG", variables["TF_CONFIG"])
    cluster = check_cluster()
    assert cluster is not None
    assert not [*cluster.failures()]
    rows = [*cluster.rows()]
    assert rows[0] == ("cluster", "this is worker 1 of 2, found in TF_CONFIG")
    assert [text.endswith(": 127.0.0.1") for _, text in rows[1:]] == [True, True]


def test_unknown_host_and_used_port_are_exit_code_5(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        workers = [f"127.0.0.1:{server.getsockname()[1]}", "no-such-host.invalid:2222"]
        task = {"type": "worker", "index": 0}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": workers}, "task": task}))
        cluster = check_cluster()
    assert cluster is not None
    used, unknown = cluster.failures()
    assert "this machine cannot listen on the port: Address already in use" in used.headline
    assert "no-such-host.invalid does not resolve" in unknown.headline
    assert used.exit_code == unknown.exit_code == 5


def test_address_of_another_interface_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the run: the address of a pod behind NAT is not one of its interfaces."""
    (port,) = free_ports(1)
    worker = {"cluster": {"worker": [f"192.0.2.1:{port}"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(worker))
    cluster = check_cluster()
    assert cluster is not None
    assert not [*cluster.failures()]


def test_malformed_environment_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", "{")
    cluster = check_cluster()
    assert cluster is not None
    assert [failure.exit_code for failure in cluster.failures()] == [2]

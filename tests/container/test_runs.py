"""The job in containers: the same bytes and exit codes as outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from tests.conftest import SLOTS, TINY_NETWORK, run_job_process
from tests.support.containers import BackgroundContainer, run
from tests.support.processes import REPOSITORY, results

pytestmark = pytest.mark.container

SLOW = {
    "trainer": {"network": TINY_NETWORK, "epochs": 40, "patience": 40, "checkpoint": {"every_steps": 20}},
    "evaluator": {"thresholds": {}},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Return the docker options that mount a training of a few seconds as /config/slow.yaml."""
    folder = tmp_path_factory.mktemp("config")
    folder.chmod(0o755)  # the container runs as another user
    (folder / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    return ("--volume", f"{folder}:/config:ro", "--cpus", "2")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the results of the same training without a container and without interruption."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    assert run_job_process("run", "--config", folder / "slow.yaml", "--root", folder / "root").exit_code == 0
    return results(folder / "root")


def artifacts(root: Path) -> dict[str, Path]:
    """Return the artifact directories of the newest run, by slot."""
    return {slot.name: slot.resolve() for slot in (root / "runs" / "latest").iterdir() if slot.is_symlink()}


def test_hardened_container_writes_the_same_bytes(image: str, container_root: Path, tmp_path: Path) -> None:
    ended = run(image, root=container_root, options=("--cpus", "2"))
    assert ended.returncode == 0, ended.stderr
    assert "BLESSED" in ended.stdout
    assert ended.stderr == ""
    assert run_job_process("run", "--config", "configs/digits.yaml", "--root", tmp_path).exit_code == 0
    inside, outside = artifacts(container_root), artifacts(tmp_path)
    assert inside.keys() == outside.keys() == set(SLOTS)
    # Model, model card and report contain the version of Python. If that differs between container and host, so do
    # their digests, and all digests that depend on them.
    manifests = {
        key: [json.loads((of[key] / "manifest.json").read_text()) for of in (outside, inside)] for key in SLOTS
    }
    differing = {(ours[key], theirs[key]) for ours, theirs in manifests.values() for key in ("fingerprint", "digest")}
    pythons = tuple(model["artifact"]["environment"]["python"] for model in manifests["trainer"])
    for slot in SLOTS:
        files = {path.relative_to(inside[slot]) for path in inside[slot].rglob("*") if path.is_file()}
        assert files == {path.relative_to(outside[slot]) for path in outside[slot].rglob("*") if path.is_file()}
        for file in files - {Path("manifest.json")}:
            ours, theirs = ((of[slot] / file).read_bytes() for of in (outside, inside))
            if file.suffix in (".md", ".html"):
                ours = ours.replace(*(python.encode() for python in pythons))
            assert ours == theirs, (slot, file)
        entries = zip(*(manifest["files"] for manifest in manifests[slot]), strict=True)
        differing |= {(ours["sha256"], theirs["sha256"]) for ours, theirs in entries}
        manifest = (outside[slot] / "manifest.json").read_text()
        if pythons[0] != pythons[1]:
            assert len(pythons[0]) == len(pythons[1]), "the sizes of files are compared too"
            stated = tuple(f'"python": {json.dumps(python)}' for python in pythons)
            for ours, theirs in {stated, *differing}:
                manifest = manifest.replace(ours, theirs)
        assert manifest == (inside[slot] / "manifest.json").read_text(), slot


def test_stopped_container_resumes_to_the_same_bits(
    image: str, container_root: Path, slow: tuple[object, ...], undisturbed: dict[str, Any]
) -> None:
    arguments = ("run", "--config", "/config/slow.yaml")
    with BackgroundContainer(image, *arguments, root=container_root, options=slow) as container:
        container.wait_for_text("epoch  3/")
        container.stop()
        assert container.wait() == 143
        assert "the job was interrupted" in container.logs()
    resumed = run(image, *arguments, root=container_root, options=slow)
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed at epoch" in resumed.stdout
    assert portable(results(container_root)) == portable(undisturbed)


def test_container_stopped_while_downloading_exits_143(image: str, container_root: Path) -> None:
    """The downloader's threads retry for minutes; the job does not wait for them."""
    with BackgroundContainer(image, "run", "--config", "configs/mnist.yaml", root=container_root) as container:
        container.wait_for_text("downloading mnist")
        container.stop()
        assert container.wait() == 143, container.logs()


def test_signal_right_after_the_start_is_code_143(image: str) -> None:
    """As process 1, Python would ignore it until it has started."""
    client = docker.from_env()
    try:
        for _ in range(3):
            container = client.containers.create(image, network_mode="none")
            try:
                container.start()
                container.kill("SIGTERM")  # through the API: the program `docker` takes longer than Python's start
                assert container.wait()["StatusCode"] == 143
            finally:
                container.remove(force=True, v=True)
    finally:
        client.close()


def test_container_killed_for_memory_is_resumed(
    image: str, container_root: Path, slow: tuple[object, ...], undisturbed: dict[str, Any]
) -> None:
    arguments = ("run", "--config", "/config/slow.yaml")
    tests = ("--volume", f"{REPOSITORY / 'tests'}:/app/tests:ro")
    limits = ("--memory", "1500m", "--memory-swap", "1500m", "--entrypoint", "python")
    eating = ("-m", "tests.support.interfere", json.dumps({"at": "step", "count": 60, "do": "eat"}), *arguments)
    with BackgroundContainer(image, *eating, root=container_root, options=(*slow, *tests, *limits)) as container:
        assert container.wait() == 137, container.logs()
        assert container.state["OOMKilled"]
    resumed = run(image, *arguments, root=container_root, options=slow)
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed at epoch" in resumed.stdout
    assert portable(results(container_root)) == portable(undisturbed)


def portable(found: dict[str, Any]) -> dict[str, Any]:
    """Return the results that do not depend on the version of Python."""
    return {name: found[name] for name in ("exit_code", "weights", "history", "metrics")}


@pytest.mark.parametrize(
    ("overrides", "exit_code", "message"),
    [
        (["trainer.epoch=3"], 2, "did you mean trainer.epochs?"),
        (["trainer.device=gpu"], 5, "the configuration requires a GPU, but"),
        (["example_gen.source={kind: idx, path: /data}"], 3, "/data"),
    ],
)
def test_user_errors_have_a_message_and_an_exit_code(
    image: str, container_root: Path, overrides: list[str], exit_code: int, message: str
) -> None:
    options = [word for override in overrides for word in ("--set", override)]
    ended = run(image, "run", "--config", "configs/digits.yaml", *options, root=container_root)
    assert ended.returncode == exit_code
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_read_only_root_is_reported(image: str, tmp_path: Path) -> None:
    ended = run(image, options=("--volume", f"{tmp_path}:/output:ro"))
    assert ended.returncode == 2
    assert "cannot write to the root at /output" in ended.stderr


def test_unknown_user_without_a_home_runs_the_job(image: str, container_root: Path) -> None:
    command = ("-u", "HOME", "-u", "MPLCONFIGDIR", "-u", "KERAS_HOME", "python", "-m", "job", "run")
    options = ("--user", "54321", "--entrypoint", "env")
    ended = run(image, *command, "--config", "configs/digits.yaml", root=container_root, options=options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "warning" not in ended.stdout
    assert {path.name for path in container_root.iterdir()} == {"artifacts", "index.html", "runs"}

"""The job in containers: the same bytes as outside, and the same exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import SLOTS, TINY_NETWORK, run_job
from tests.support.containers import Running, run
from tests.support.processes import REPOSITORY, results

pytestmark = pytest.mark.container

SLOW = {
    "trainer": {"network": TINY_NETWORK, "epochs": 40, "patience": 40, "checkpoint": {"every_steps": 20}},
    "evaluator": {"thresholds": {}},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Return the options that mount a training of some seconds as /config/slow.yaml."""
    folder = tmp_path_factory.mktemp("config")
    folder.chmod(0o755)  # another user's, in the container
    (folder / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    return ("--volume", f"{folder}:/config:ro", "--cpus", "2")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the same training comes to, outside of a container and left in peace."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    assert run_job("run", "--config", folder / "slow.yaml", "--root", folder / "root").exit_code == 0
    return results(folder / "root")


def artifacts(root: Path) -> dict[str, Path]:
    """Return where the artifacts of the newest run are, by slot."""
    return {slot.name: slot.resolve() for slot in (root / "runs" / "latest").iterdir() if slot.is_symlink()}


def test_the_shipped_job_makes_the_same_bytes_as_outside_where_nothing_but_its_root_can_be_written_to(
    image: str, root: Path, tmp_path: Path
) -> None:
    ended = run(image, root=root, options=("--cpus", "2"))
    assert ended.returncode == 0, ended.stderr
    assert "BLESSED" in ended.stdout
    assert ended.stderr == ""
    assert run_job("run", "--config", "configs/digits.yaml", "--root", tmp_path).exit_code == 0
    inside, outside = artifacts(root), artifacts(tmp_path)
    assert inside.keys() == outside.keys() == set(SLOTS)
    # A model states the Python that made it, and so do its card and the report: where Pythons differ, so do these,
    # their digests, and what is derived from them.
    said = {key: [json.loads((of[key] / "manifest.json").read_text()) for of in (outside, inside)] for key in SLOTS}
    differing = {(ours[key], theirs[key]) for ours, theirs in said.values() for key in ("fingerprint", "digest")}
    pythons = tuple(model["artifact"]["environment"]["python"] for model in said["trainer"])
    for slot in SLOTS:
        files = {path.relative_to(inside[slot]) for path in inside[slot].rglob("*") if path.is_file()}
        assert files == {path.relative_to(outside[slot]) for path in outside[slot].rglob("*") if path.is_file()}
        for file in files - {Path("manifest.json")}:
            ours, theirs = ((of[slot] / file).read_bytes() for of in (outside, inside))
            if file.suffix in (".md", ".html"):
                ours = ours.replace(*(python.encode() for python in pythons))
            assert ours == theirs, (slot, file)
        entries = zip(*(manifest["files"] for manifest in said[slot]), strict=True)
        differing |= {(ours["sha256"], theirs["sha256"]) for ours, theirs in entries}
        manifest = (outside[slot] / "manifest.json").read_text()
        if pythons[0] != pythons[1]:
            assert len(pythons[0]) == len(pythons[1]), "sizes of files are compared too"
            stated = tuple(f'"python": {json.dumps(python)}' for python in pythons)
            for ours, theirs in {stated, *differing}:
                manifest = manifest.replace(ours, theirs)
        assert manifest == (inside[slot] / "manifest.json").read_text(), slot


def test_a_stopped_container_exits_with_143_and_the_next_one_resumes_to_the_same_bits(
    image: str, root: Path, slow: tuple[object, ...], undisturbed: dict[str, Any]
) -> None:
    arguments = ("run", "--config", "/config/slow.yaml")
    with Running(image, *arguments, root=root, options=slow) as container:
        container.wait_for("epoch  3/")
        container.stop()
        assert container.wait() == 143
        assert "the job was asked to end" in container.logs()
    resumed = run(image, *arguments, root=root, options=slow)
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed at epoch" in resumed.stdout
    assert kept(results(root)) == kept(undisturbed)


def test_a_container_that_is_stopped_while_it_downloads_exits_with_143_too(image: str, root: Path) -> None:
    """The downloader's threads go on trying for minutes; nobody waits for them."""
    with Running(image, "run", "--config", "configs/mnist.yaml", root=root) as container:
        container.wait_for("downloading mnist")
        container.stop()
        assert container.wait() == 143, container.logs()


def test_a_container_that_was_killed_for_its_memory_is_resumed_by_the_next_one(
    image: str, root: Path, slow: tuple[object, ...], undisturbed: dict[str, Any]
) -> None:
    arguments = ("run", "--config", "/config/slow.yaml")
    tests = ("--volume", f"{REPOSITORY / 'tests'}:/app/tests:ro")
    limits = ("--memory", "1500m", "--memory-swap", "1500m", "--entrypoint", "python")
    eating = ("-m", "tests.support.interfere", json.dumps({"at": "step", "count": 60, "do": "eat"}), *arguments)
    with Running(image, *eating, root=root, options=(*slow, *tests, *limits)) as container:
        assert container.wait() == 137, container.logs()
        assert container.state["OOMKilled"]
    resumed = run(image, *arguments, root=root, options=slow)
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed at epoch" in resumed.stdout
    assert kept(results(root)) == kept(undisturbed)


def kept(came_to: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same under another Python too."""
    return {name: came_to[name] for name in ("exit_code", "weights", "history", "metrics")}


@pytest.mark.parametrize(
    ("overrides", "exit_code", "told"),
    [
        (["trainer.epoch=3"], 2, "did you mean trainer.epochs?"),
        (["trainer.device=gpu"], 5, "the configuration requires a GPU, but"),
        (["example_gen.source={kind: idx, path: /data}"], 3, "/data"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_with_its_exit_code(
    image: str, root: Path, overrides: list[str], exit_code: int, told: str
) -> None:
    options = [word for override in overrides for word in ("--set", override)]
    ended = run(image, "run", "--config", "configs/digits.yaml", *options, root=root)
    assert ended.returncode == exit_code
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_root_that_cannot_be_written_to_is_told(image: str, tmp_path: Path) -> None:
    ended = run(image, options=("--volume", f"{tmp_path}:/output:ro"))
    assert ended.returncode == 2
    assert "cannot write to the root at /output" in ended.stderr

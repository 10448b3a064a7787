"""`make` passes the values of a user's variables on as they are, and refuses names that are not valid."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import FAKES
from tests.support.containers import make
from tests.support.processes import REPOSITORY

RECORDER = """#!/bin/sh
printf '%s\\0' "$(basename "$0")" "$@" >> "{calls}"
printf '\\n' >> "{calls}"
"""
HOSTILE = [
    "a b/c",
    "it's",
    'x" --set "seed=1',
    "x; touch pwned",
    "`touch pwned`",
    "$(touch pwned)",
    "$(shell touch pwned)",
    "a$b",
    "x & #",
    "*",
    "~",
]


@dataclass(frozen=True)
class Checkout:
    """A checkout whose Python, docker and kubectl record their arguments."""

    folder: Path
    calls: Path

    def make(self, *arguments: str) -> tuple[int, str, list[list[str]]]:
        """Run a target; return the exit code, standard error, and the words of each recorded call."""
        self.calls.write_text("")
        done = make(*arguments, cwd=self.folder)
        assert not list(self.folder.glob("pwned*")), done
        lines = self.calls.read_text().splitlines()
        return done.returncode, done.stderr, [line.split("\0")[:-1] for line in lines]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    folder, calls, programs = tmp_path / "checkout", tmp_path / "calls", tmp_path / "programs"
    for part in ("configs/kubernetes", "docker", "requirements"):
        shutil.copytree(REPOSITORY / part, folder / part)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    for program in (folder / ".venv" / "bin" / "python", programs / "docker", programs / "kubectl"):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(RECORDER.format(calls=calls))
        program.chmod(0o755)
    for stamp in (".cpu", ".dev"):
        (folder / ".venv" / stamp).touch()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return Checkout(folder, calls)


@pytest.mark.parametrize("value", HOSTILE)
def test_values_reach_the_job_as_they_are(checkout: Checkout, value: str) -> None:
    _, _, calls = checkout.make("run", f"CONFIG={value}", f"ROOT={value}", "ARGS=--set 'a={b: c}'")
    run = ["python", "-m", "job", "run", "--config", value, "--root", value, "--set", "a={b: c}"]
    assert calls == [run]
    _, _, calls = checkout.make("bench", f"BENCH={value}", f"MNIST={value}", f"TORCH={value}")
    values = ["--extent", value, "--mnist", value, "--torch", value]
    assert calls == [["python", "-m", "tests.benchmarks", *values]]


def test_variables_that_are_not_set_are_left_out(checkout: Checkout) -> None:
    assert checkout.make("run")[2] == [["python", "-m", "job", "run", "--config", "configs/digits.yaml"]]
    assert checkout.make("bench")[2] == [["python", "-m", "tests.benchmarks", "--extent", "full"]]
    assert checkout.make("k8s-render")[2][0][:2] == ["kubectl", "kustomize"]
    (build,) = checkout.make("docker-build")[2]
    assert "EXTRAS=0" in build
    assert build[build.index("--tag") + 1] == "mnist-job:gpu"


INJECTION = 'x"}, {"op": "add", "path": "/spec/template/spec/hostNetwork", "value": true}, {"a": "b'


NOT_IMAGES = ["--privileged", "a b", "x; touch pwned", "a:b:c", "team/X", "x@sha256:1", "x\ny", "x" * 600]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        *((target, INJECTION) for target in ("docker-build", "docker-push", "docker-run", "k8s-render", "k8s-submit")),
        *(("k8s-render", name) for name in NOT_IMAGES),
    ],
)
def test_name_that_is_no_image_reference_is_refused(checkout: Checkout, target: str, name: str) -> None:
    code, message, calls = checkout.make(target, f"IMAGE={name}")
    assert (code, calls) == (2, [])
    assert "error: the image name" in message
    assert "expected: an image reference such as" in message


@pytest.mark.parametrize(
    "name",
    [
        "mnist-job",
        "mnist-job:gpu",
        "registry.example:5000/team/mnist-job:0.1.0",
        "127.0.0.1:5000/a__b/c.d-e",
        "Registry.example/mnist-job@sha256:" + "0" * 64,
        "mnist-job:V_1.x-2@sha256:" + "f" * 64,
    ],
)
def test_image_reference_is_built(checkout: Checkout, name: str) -> None:
    _, _, ((_, _, *words),) = checkout.make("docker-build", f"IMAGE={name}", f"BASE_IMAGE={name}")
    assert words[words.index("--tag") + 1] == name
    assert f"BASE_IMAGE={name}" in words


@pytest.mark.parametrize("name", ["--all", "x; touch pwned", "Training", "a.b", "a" * 64, "x' --server 'y"])
def test_name_that_is_no_namespace_is_refused(checkout: Checkout, name: str) -> None:
    for target in ("k8s-submit", "k8s-logs"):
        code, message, calls = checkout.make(target, f"NAMESPACE={name}")
        assert (code, calls) == (2, [])
        assert "error: the namespace name" in message


def test_namespace_reaches_kubectl(checkout: Checkout) -> None:
    _, _, calls = checkout.make("k8s-submit", "NAMESPACE=team-1", "OVERLAY=cpu")
    assert [call[1:4] for call in calls[1:]] == [
        ["--namespace", "team-1", "delete"],
        ["--namespace", "team-1", "apply"],
    ]


@pytest.mark.parametrize("overlay", ["cpu x", "../overlays/cpu", "x; touch pwned", "cpu'", "."])
def test_overlay_that_does_not_exist_is_refused(checkout: Checkout, overlay: str) -> None:
    code, message, calls = checkout.make("k8s-render", f"OVERLAY={overlay}")
    assert (code, calls) == (2, [])
    assert "unknown overlay" in message


@pytest.mark.thorough
def test_job_runs_with_spaces_in_every_path(checkout: Checkout) -> None:
    python = checkout.folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" "$@"\n')
    (checkout.folder / "my configs").mkdir()
    (checkout.folder / "my configs" / "a b.yaml").write_text(yaml.safe_dump(FAKES))
    code, message, _ = checkout.make("run", "CONFIG=my configs/a b.yaml", "ROOT=my root; touch pwned")
    assert code == 0, message
    assert (checkout.folder / "my root; touch pwned" / "runs" / "latest" / "run.json").is_file()

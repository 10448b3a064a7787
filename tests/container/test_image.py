"""The contents, labels and settings of the image."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from job import __version__
from tests.support.containers import build, docker, run
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.container

STALE = """
import importlib.util, pathlib, struct, sys
sources = [path for path in pathlib.Path("/app").rglob("*.py")]
sources += pathlib.Path("/opt/venv").rglob("site-packages/keras/**/*.py")
stale = []
for source in sources:
    compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
    found = source.stat()
    expected = importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, int(found.st_mtime), found.st_size)
    if not compiled.is_file() or compiled.read_bytes()[:16] != expected:
        stale.append(str(source))
print(len(sources), "modules")
sys.exit("\\n".join(stale) or 0)
"""


@pytest.fixture(scope="module")
def configuration(image: str) -> dict[str, Any]:
    (found,) = json.loads(docker("image", "inspect", image).stdout)
    settings: dict[str, Any] = found["Config"]
    return settings


def test_entry_point_is_the_job_as_an_unprivileged_user(configuration: dict[str, Any]) -> None:
    assert configuration["Entrypoint"] == ["tini", "-s", "--", "python", "-m", "job"]
    assert configuration["User"] == "10001:10001"
    assert "Healthcheck" not in configuration


def test_labels_name_version_and_revision(configuration: dict[str, Any]) -> None:
    labels = {key.rpartition(".")[2]: value for key, value in configuration["Labels"].items()}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert labels["version"] == __version__
    assert labels["revision"].removesuffix("-dirty") == head.stdout.strip()


def test_has_no_compiler_pip_or_caches(image: str) -> None:
    done = run(
        image,
        "-c",
        "for tool in cc gcc make pip pip3 git curl; do command -v $tool; done; "
        "python -c 'import pip' 2>/dev/null && echo pip; "
        "cd /opt/venv/lib/python3*/site-packages; "
        "ls -d /root/.cache /var/lib/apt/lists/* tensorflow/include 2>/dev/null; true",
        options=("--entrypoint", "sh", "--user", "0"),
    )
    assert done.returncode == 0
    assert done.stdout == ""


def test_all_bytecode_is_compiled_and_current(image: str) -> None:
    done = run(image, "-c", STALE, options=("--entrypoint", "python"))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 500


def test_code_change_keeps_the_layer_of_dependencies(image: str, tmp_path: Path) -> None:
    for name in ("docker", "requirements", "components", "job", "configs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for name in ("Makefile", ".dockerignore"):
        shutil.copy(REPOSITORY / name, tmp_path)
    with (tmp_path / "job" / "__init__.py").open("a") as file:
        file.write("\n# changed\n")
    tag = "mnist-job:changed"
    try:
        output = build(tag, "--progress=plain", context=tmp_path)
        changed, before = (
            json.loads(docker("image", "inspect", it).stdout)[0]["RootFS"]["Layers"] for it in (tag, image)
        )
    finally:
        docker("rmi", "--force", tag)
    assert len(changed) == len(before)
    assert [a != b for a, b in zip(changed, before, strict=True)].count(True) == 1, output  # /app


def test_doctor_reports_the_limits_of_the_container(image: str, container_root: Path) -> None:
    done = run(image, "doctor", "--json", root=container_root, options=("--cpus", "1", "--memory", "1500m"))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["environment"]["version"] == __version__
    assert report["environment"]["cpu_limit"] == 1
    assert report["environment"]["memory_limit_bytes"] == 1500 << 20
    (cpu,) = report["devices"]
    assert cpu["name"] == "CPU:0"
    assert cpu["failure"] == ""
    assert {place["name"]: place["failure"] for place in report["places"]} == dict.fromkeys(
        ("root", "temporary files", "matplotlib", "keras", "datasets", "cuda cache"), ""
    )


def test_doctor_exits_with_5_without_the_required_gpu(image: str) -> None:
    done = run(image, "doctor", "--require-gpu")
    assert done.returncode == 5
    assert "error: a GPU is required, but the" in done.stderr


def test_doctor_exits_with_2_for_a_read_only_root(image: str, tmp_path: Path) -> None:
    done = run(image, "doctor", options=("--volume", f"{tmp_path}:/output:ro"))
    assert done.returncode == 2
    assert "error: root: cannot write to the root at /output" in done.stderr

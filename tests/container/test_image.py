"""What is in the image, what is not, and what it says of itself."""

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
    stated = source.stat()
    expected = importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, int(stated.st_mtime), stated.st_size)
    if not compiled.is_file() or compiled.read_bytes()[:16] != expected:
        stale.append(str(source))
print(len(sources), "modules")
sys.exit("\\n".join(stale) or 0)
"""


@pytest.fixture(scope="module")
def configuration(image: str) -> dict[str, Any]:
    (found,) = json.loads(docker("image", "inspect", image).stdout)
    stated: dict[str, Any] = found["Config"]
    return stated


def test_it_starts_the_job_itself_as_a_numeric_user_without_rights(configuration: dict[str, Any]) -> None:
    assert configuration["Entrypoint"] == ["python", "-m", "job"]
    assert configuration["User"] == "10001:10001"
    assert "Healthcheck" not in configuration


def test_its_labels_say_what_it_was_built_from(configuration: dict[str, Any]) -> None:
    labels = {key.rpartition(".")[2]: value for key, value in configuration["Labels"].items()}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert labels["version"] == __version__
    assert labels["revision"].removesuffix("-dirty") == head.stdout.strip()


def test_it_has_no_compiler_no_pip_and_no_caches(image: str) -> None:
    looked = run(
        image,
        "-c",
        "for tool in cc gcc make pip pip3 git curl; do command -v $tool; done; "
        "python -c 'import pip' 2>/dev/null && echo pip; "
        "cd /opt/venv/lib/python3*/site-packages; "
        "ls -d /root/.cache /var/lib/apt/lists/* tensorflow/include 2>/dev/null; true",
        options=("--entrypoint", "sh", "--user", "0"),
    )
    assert looked.returncode == 0
    assert looked.stdout == ""


def test_all_of_its_bytecode_is_compiled_and_fresh(image: str) -> None:
    looked = run(image, "-c", STALE, options=("--entrypoint", "python"))
    assert looked.returncode == 0, looked.stderr
    assert int(looked.stdout.split()[0]) > 500


def test_a_change_of_the_code_leaves_the_layer_of_dependencies_alone(image: str, tmp_path: Path) -> None:
    for name in ("docker", "requirements", "components", "job", "configs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for name in ("Makefile", ".dockerignore"):
        shutil.copy(REPOSITORY / name, tmp_path)
    with (tmp_path / "job" / "__init__.py").open("a") as file:
        file.write("\n# changed\n")
    tag = "mnist-job:changed"
    try:
        said = build(tag, "--progress=plain", context=tmp_path)
        changed, before = (
            json.loads(docker("image", "inspect", it).stdout)[0]["RootFS"]["Layers"] for it in (tag, image)
        )
    finally:
        docker("rmi", "--force", tag)
    assert len(changed) == len(before)
    assert [a != b for a, b in zip(changed, before, strict=True)].count(True) == 1, said  # /app


def test_doctor_tells_what_the_container_allows(image: str, root: Path) -> None:
    looked = run(image, "doctor", "--json", root=root, options=("--cpus", "1", "--memory", "1500m"))
    assert looked.returncode == 0, looked.stderr
    told = json.loads(looked.stdout)
    assert told["environment"]["version"] == __version__
    assert told["environment"]["cpu_limit"] == 1
    assert told["environment"]["memory_limit_bytes"] == 1500 << 20
    (cpu,) = told["devices"]
    assert cpu["name"] == "CPU:0"
    assert cpu["failure"] == ""
    assert {place["name"]: place["failure"] for place in told["places"]} == dict.fromkeys(
        ("root", "temporary files", "matplotlib", "keras", "datasets", "cuda cache"), ""
    )


def test_doctor_exits_with_5_where_a_gpu_is_required_and_there_is_none(image: str) -> None:
    looked = run(image, "doctor", "--require-gpu")
    assert looked.returncode == 5
    assert "error: a GPU is required, but the" in looked.stderr


def test_doctor_exits_with_2_where_the_root_cannot_be_written_to(image: str, tmp_path: Path) -> None:
    looked = run(image, "doctor", options=("--volume", f"{tmp_path}:/output:ro"))
    assert looked.returncode == 2
    assert "error: root: cannot write to the root at /output" in looked.stderr

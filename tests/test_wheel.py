"""The wheel: what `pip install` from a checkout puts into an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the unpacked wheel of a checkout."""
    checkout, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, checkout)
    for name in ("components", "configs", "job"):
        shutil.copytree(REPOSITORY / name, checkout / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    build = f"import setuptools.build_meta as backend; backend.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=checkout, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.mark.thorough
def test_wheel_has_presets_templates_and_types(installed: Path) -> None:
    presets = {path.name for path in (REPOSITORY / "configs").glob("*.yaml")}
    assert {path.name for path in (installed / "job" / "presets").iterdir()} == presets
    assert (installed / "job" / "py.typed").exists()
    assert (installed / "components" / "py.typed").exists()
    for suffix in (".py", ".j2", ".css", ".js"):
        for package in ("components", "job"):
            shipped = {path.relative_to(REPOSITORY) for path in (REPOSITORY / package).rglob(f"*{suffix}")}
            assert {path for path in shipped if not (installed / path).exists()} == set()


@pytest.mark.thorough
def test_preset_runs_in_a_folder_with_its_own_components(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "__init__.py").write_text("mine = True\n")
    done = subprocess.run(
        [sys.executable, "-m", "job", "run", "--config", "digits", "--until", "example_gen"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output" / "runs" / "latest" / "example_gen").is_dir()

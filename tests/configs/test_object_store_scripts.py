"""Scripts that start containers pass a root in object storage on: its URL, its credentials, and a folder as its cache.

The real scripts run with a recorder in the place of docker, apptainer and Slurm's programs.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.containers import image_environment
from tests.support.processes import REPOSITORY

RECORDER = """#!/bin/sh
case $1 in info | image | rm) exit ;; esac
printf '%s\\n' "$@" > {folder}/words
env > {folder}/environment
exit {exit_code}
"""
START_REST = """#!/bin/sh
while case $1 in -*) ;; *) false ;; esac; do shift; done
exec "$@"
"""
ROOT = "s3://bucket/prefix"
SECRET = "secret-key-of-the-tests"  # noqa: S105
SLURM = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1", "SLURM_MEM_PER_NODE": "100", "SLURM_RESTART_COUNT": "0"}


@dataclass
class Started:
    """What a script started."""

    words: list[str]
    environment: dict[str, str]

    def mounted(self, target: str) -> str | None:
        """Return the folder or file that is mounted at a path, in the notations of both engines."""
        for word in self.words:
            path = word.removeprefix("--volume=").removeprefix("--bind=")
            if path != word and path.split(":")[1] == target:
                return path.split(":")[0]
            if f"target={target}" in word.replace('"', "").split(","):
                return word.replace('"', "").split("source=")[1].split(",")[0]
        return None


class Scripts:
    """Runs scripts whose programs are recorders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        (folder / "submitted").mkdir()
        self.credentials = folder / "credentials"
        self.credentials.write_text(SECRET)
        self.write("srun", START_REST)
        self.write("scontrol", "#!/bin/sh\n")

    def write(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, script: str, program: str, exit_code: int = 0, /, **variables: str) -> Started:
        self.write(program, RECORDER.format(folder=self.folder, exit_code=exit_code))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "JOB_"))}
        done = subprocess.run(
            ["bash" if script.endswith(".sbatch") else "sh", REPOSITORY / script],
            cwd=REPOSITORY,
            env={
                **kept,
                **SLURM,
                "SLURM_SUBMIT_DIR": str(self.folder / "submitted"),
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == exit_code, done.stderr
        words = (self.folder / "words").read_text().splitlines()
        lines = (self.folder / "environment").read_text().splitlines()
        return Started(words, dict(line.split("=", 1) for line in lines if "=" in line))

    def slurm(self, launcher: str, exit_code: int = 0, /, **variables: str) -> Started:
        if launcher == "python":
            variables["JOB_IMAGE"] = str(self.programs / "python")
        return self.run("configs/batch/slurm.sbatch", launcher, exit_code, LAUNCHER=launcher, **variables)

    def docker_run(self, **variables: str) -> Started:
        return self.run("docker/run.sh", "docker", IMAGE="mnist-job:cpu", CONFIG="configs/digits.yaml", **variables)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def test_slurm_with_docker_passes_names_of_credentials_only(scripts: Scripts) -> None:
    started = scripts.slurm("docker", JOB_ROOT=ROOT)
    assert {"--env=JOB_ROOT", "--env=AWS_SECRET_ACCESS_KEY"} <= {*started.words}
    assert (started.environment["JOB_ROOT"], started.environment["AWS_SECRET_ACCESS_KEY"]) == (ROOT, SECRET)
    assert SECRET not in " ".join(started.words)
    assert started.mounted(str(scripts.credentials)) == str(scripts.credentials)


def test_slurm_with_apptainer_passes_credentials_as_variables(scripts: Scripts) -> None:
    started = scripts.slurm("apptainer", JOB_ROOT=ROOT)
    assert started.environment["APPTAINERENV_JOB_ROOT"] == ROOT
    assert started.environment["APPTAINERENV_AWS_SECRET_ACCESS_KEY"] == SECRET
    assert SECRET not in " ".join(started.words)
    assert started.mounted(str(scripts.credentials)) == str(scripts.credentials)


@pytest.mark.parametrize("launcher", ["apptainer", "docker"])
def test_slurm_mounts_a_temporary_cache_where_the_image_has_it(scripts: Scripts, launcher: str) -> None:
    started = scripts.slurm(launcher, JOB_ROOT=ROOT)
    folder = started.mounted("/output")
    assert folder is not None
    assert image_environment()["JOB_CACHE"].startswith("/output/")
    assert not Path(folder).exists(), "it is deleted with the job"
    assert not list((scripts.folder / "submitted").iterdir()), "no folder has the name of the URL"


@pytest.mark.parametrize("launcher", ["apptainer", "docker", "python"])
def test_slurm_keeps_a_named_cache(scripts: Scripts, launcher: str) -> None:
    cache = scripts.folder / "cache"
    started = scripts.slurm(launcher, JOB_ROOT=ROOT, JOB_CACHE=str(cache))
    assert cache.is_dir()
    if launcher == "python":
        assert (started.environment["JOB_ROOT"], started.environment["JOB_CACHE"]) == (ROOT, str(cache))
    else:
        assert started.mounted("/output") == str(cache)


def test_slurm_counts_failures_beside_the_log(scripts: Scripts) -> None:
    scripts.slurm("docker", 5, JOB_ROOT=ROOT)
    scripts.slurm("docker", 5, JOB_ROOT=ROOT)
    assert (scripts.folder / "submitted" / ".slurm-7-failures").read_text() == "5\n5\n"
    scripts.slurm("docker", JOB_ROOT=ROOT)
    assert not list((scripts.folder / "submitted").iterdir())


@pytest.mark.parametrize("launcher", ["apptainer", "docker"])
def test_slurm_passes_no_credentials_for_a_folder(scripts: Scripts, launcher: str) -> None:
    started = scripts.slurm(launcher, JOB_ROOT=str(scripts.folder / "root"))
    assert started.mounted("/output") == str(scripts.folder / "root")
    assert not [word for word in started.words if "AWS" in word]
    assert not [name for name in started.environment if name.startswith("APPTAINERENV_AWS")]


def test_docker_run_passes_a_url_and_names_of_credentials(scripts: Scripts) -> None:
    started = scripts.docker_run(RUNS=ROOT)
    named = [started.words[place + 1] for place, word in enumerate(started.words) if word == "--env"]
    assert {"JOB_ROOT", "AWS_SECRET_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE"} <= {*named}
    assert (started.environment["JOB_ROOT"], started.environment["AWS_SECRET_ACCESS_KEY"]) == (ROOT, SECRET)
    assert SECRET not in " ".join(started.words)
    assert started.mounted("/output") == str(scripts.folder / ".cache" / "mnist-job")
    assert started.mounted(str(scripts.credentials)) == str(scripts.credentials)


def test_docker_run_passes_no_credentials_for_a_folder(scripts: Scripts) -> None:
    started = scripts.docker_run(RUNS=str(scripts.folder / "runs"))
    assert started.mounted("/output") == str(scripts.folder / "runs")
    assert "--env" not in started.words

"""Real containers of the image, on whatever engine `docker` speaks to."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.processes import REPOSITORY, wait_until

HARDENED = ("--read-only", "--cap-drop", "ALL", "--user", "10001", "--network", "none")
"""As strictly as a container can be run: the mounted root and /tmp are all that it can write to."""
WHY_SKIPPED = (
    "no container engine answers (`docker info`), so nothing is tested in a container; `make docker-test` does"
)
GIVEN = (
    "MAKEFLAGS",
    "MFLAGS",
    "MAKEOVERRIDES",
    "MAKELEVEL",
    "ARGS",
    "CONFIG",
    "RUNS",
    "IMAGE",
    "DATA",
    "GPU",
    "NETWORK",
)
"""What make hands down to a make below it: its own state, and variables that its targets take."""
TESTED = "mnist-job:test"
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"


def docker(*arguments: object, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a docker command, and return what it said."""
    done = subprocess.run(
        ["docker", *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert not check or done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
    return done


@cache
def engine_answers() -> bool:
    """Return whether there is a container engine."""
    try:
        return docker("info", check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def build(tag: str, *arguments: str, context: Path = REPOSITORY) -> str:
    """Build the CPU image as the README says, from a checkout; return what was printed.

    BASE_IMAGE, if it is in the environment, names the base, as it does for `make docker-build`.
    """
    done = make("docker-build", "ACCELERATOR=cpu", f"IMAGE={tag}", f"ARGS={' '.join(arguments)}", cwd=context)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def make(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile as if from a shell: what a make above this process was given stays there."""
    given = {name: value for name, value in os.environ.items() if name not in GIVEN}
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env=given, capture_output=True, text=True, timeout=1500, check=False
    )


def the_image() -> str:
    """Return the image to test: the one that JOB_IMAGE names, or one built now."""
    if named := os.environ.get("JOB_IMAGE"):
        return named
    before = docker("images", "--quiet", TESTED).stdout.strip()
    build(TESTED)
    if before and before != docker("images", "--quiet", TESTED).stdout.strip():
        docker("rmi", before, check=False)  # 2 GB that nobody would come back to
    return TESTED


def run(
    image: str, *arguments: object, root: Path | None = None, options: tuple[object, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a container to its end, hardened, with a root mounted."""
    mounted = ("--volume", f"{root}:/output") if root else ()
    return docker("run", "--rm", *HARDENED, *mounted, *options, image, *arguments, check=False)


def image_environment() -> dict[str, str]:
    """Return the variables that the Dockerfile's last stage sets to a plain value."""
    stage = DOCKERFILE.read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")
    pairs = [pair for values in re.findall(r"^ENV (.*)$", stage, re.MULTILINE) for pair in values.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def image_user() -> str:
    """Return the user that the Dockerfile's last stage ends with."""
    return str(re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)[-1])


class Running:
    """A container that runs in the background, until it is stopped, or ends; remove it by leaving the block."""

    def __init__(self, image: str, *arguments: object, root: Path, options: tuple[object, ...] = ()) -> None:
        started = docker("run", "--detach", *HARDENED, "--volume", f"{root}:/output", *options, image, *arguments)
        self.id = started.stdout.strip()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "--force", "--volumes", self.id)

    @property
    def state(self) -> dict[str, Any]:
        """What the engine says of it, such as `ExitCode` and `OOMKilled`."""
        (found,) = json.loads(docker("inspect", self.id).stdout)
        state: dict[str, Any] = found["State"]
        return state

    def logs(self) -> str:
        """Return all that it has said."""
        said = docker("logs", self.id)
        return said.stdout + said.stderr

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Wait until it has said something."""

        def has_said() -> bool:
            said = text in self.logs()
            assert said or self.state["Running"], self.logs()
            return said

        wait_until(has_said, self.logs, seconds=seconds)

    def stop(self) -> None:
        """Ask it to end, as `docker stop` does: SIGTERM, and after 30 seconds SIGKILL."""
        docker("stop", "--time", 30, self.id)

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return int(docker("wait", self.id).stdout)

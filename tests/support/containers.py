"""Real containers of the image, on the engine that `docker` is configured for."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.processes import REPOSITORY, wait_until

RESTRICTED = ("--read-only", "--cap-drop", "ALL", "--user", "10001")
HARDENED = (*RESTRICTED, "--network", "none")
"""The strictest options: the container can write to the mounted root and to /tmp only."""
WHY_SKIPPED = "no container engine is running (`docker info` fails): start one, then run `make docker-test`"
MAKE_VARIABLES = (
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
    "ROOT",
    "OVERLAY",
    "NAMESPACE",
)
"""Variables that make passes to a make below it: its own state, and those of our targets."""
TEST_TAG = "mnist-job:test"
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"


def docker(*arguments: object, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a docker command."""
    done = subprocess.run(
        ["docker", *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert not check or done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
    return done


@cache
def has_engine() -> bool:
    """Return whether a container engine is running."""
    try:
        return docker("info", check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def build(tag: str, *arguments: str, context: Path = REPOSITORY) -> str:
    """Build the CPU image of a checkout with `make docker-build`, on BASE_IMAGE if that is set; return the output."""
    done = make("docker-build", "ACCELERATOR=cpu", f"IMAGE={tag}", f"ARGS={' '.join(arguments)}", cwd=context)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def make(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run a make target as from a shell, without the variables of a make that runs these tests."""
    variables = {name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES}
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env=variables, capture_output=True, text=True, timeout=1500, check=False
    )


def image_under_test() -> str:
    """Return the image named by JOB_IMAGE, or build one."""
    if named := os.environ.get("JOB_IMAGE"):
        return named
    before = docker("images", "--quiet", TEST_TAG).stdout.strip()
    build(TEST_TAG)
    if before and before != docker("images", "--quiet", TEST_TAG).stdout.strip():
        docker("rmi", before, check=False)  # an image is 2 GB
    return TEST_TAG


def run(
    image: str, *arguments: object, root: Path | None = None, options: tuple[object, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a hardened container to its end, with a root mounted at /output."""
    mounted = ("--volume", f"{root}:/output") if root else ()
    return docker("run", "--rm", *HARDENED, *mounted, *options, image, *arguments, check=False)


def image_environment() -> dict[str, str]:
    """Return the environment variables that the Dockerfile's last stage sets to a constant."""
    stage = DOCKERFILE.read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")
    pairs = [pair for values in re.findall(r"^ENV (.*)$", stage, re.MULTILINE) for pair in values.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def image_user() -> str:
    """Return the user of the Dockerfile's last stage, as UID:GID."""
    return str(re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)[-1])


class BackgroundContainer:
    """A hardened container in the background. The end of the `with` block removes it."""

    def __init__(
        self, image: str, *arguments: object, root: Path, options: tuple[object, ...] = (), network: str = "none"
    ) -> None:
        given = (*RESTRICTED, "--network", network, "--volume", f"{root}:/output", *options)
        started = docker("run", "--detach", *given, image, *arguments)
        self.id = started.stdout.strip()

    def __enter__(self) -> BackgroundContainer:
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "--force", "--volumes", self.id)

    @property
    def state(self) -> dict[str, Any]:
        """The state that `docker inspect` reports, such as `ExitCode` and `OOMKilled`."""
        (found,) = json.loads(docker("inspect", self.id).stdout)
        state: dict[str, Any] = found["State"]
        return state

    def logs(self) -> str:
        """Return standard output and standard error so far."""
        logged = docker("logs", self.id)
        return logged.stdout + logged.stderr

    def wait_for_text(self, text: str, seconds: float = 120) -> None:
        """Wait until the logs contain a text; fail if the container ends without it."""

        def logged() -> bool:
            found = text in self.logs()
            assert found or self.state["Running"], self.logs()
            return found

        wait_until(logged, self.logs, seconds=seconds)

    def stop(self) -> None:
        """Send SIGTERM, and after 30 seconds SIGKILL, as `docker stop` does."""
        docker("stop", "--time", 30, self.id)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return int(docker("wait", self.id).stdout)

"""The image under test, built once, and roots that its user may write to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import docker, the_image


@pytest.fixture(scope="session")
def image() -> str:
    return the_image()


@pytest.fixture
def root(image: str) -> Iterator[Path]:
    """Return a folder that any user may write to, not below one that only its owner may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Path(folder) / "root"
        made.mkdir()
        made.chmod(0o777)
        yield made
        # What the container's user made, only he, or root, can remove.
        docker(
            *("run", "--rm", "--user", "0", "--entrypoint", "sh", "--volume", f"{made}:/output", image),
            *("-c", "rm -rf /output/* /output/.[!.]*"),
        )

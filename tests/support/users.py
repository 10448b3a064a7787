"""Tests as an ordinary user, because root may read every file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Drop root's privileges, if the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def folder_for_all(factory: pytest.TempPathFactory) -> Path:
    """Create a folder that every user may enter."""
    folder = factory.mktemp("folder")
    for parent in (folder, *folder.parents):
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    return folder

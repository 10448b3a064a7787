"""Copies of a finished root, for tests that need a run and not the making of it."""

from __future__ import annotations

import shutil
from pathlib import Path


def copy_root(finished: Path, target: Path) -> Path:
    """Copy a root with its links, and let the records of its runs name the copy."""
    shutil.copytree(finished, target, symlinks=True)
    for record in target.glob("runs/*/run.json"):
        if not record.parent.is_symlink():
            record.write_text(record.read_text().replace(str(finished), str(target)))
    return target

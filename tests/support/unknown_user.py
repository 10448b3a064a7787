"""Run the job as a user that the system does not know, without a home, on a read-only root file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY

UID = 54321
WHY_SKIPPED = "needs root, setpriv and unshare"
READ_ONLY = """
set -e
mount --make-rprivate /
[ -z "$1" ] || mount --bind "$1" "$1"
awk '$2 !~ "^/(proc|sys|dev)" {print $2}' /proc/self/mounts | while read -r folder; do
    [ "$folder" = "$1" ] || mount -o remount,bind,ro "$folder"
done
shift
exec "$@"
"""
"""Makes every file system read-only for this process, except one folder."""


def can_change_user() -> bool:
    """Return whether this process may become another user in a file system of its own."""
    return os.geteuid() == 0 and all(map(shutil.which, ("setpriv", "unshare")))


def run_as_unknown_user(
    *arguments: object, writable: Path | None = None, temporary: Path | None = None, cwd: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run a command of the job without HOME or any other variable; only `writable` can be written to."""
    if writable is not None:
        writable.mkdir(exist_ok=True)
        os.chown(writable, UID, UID)
    # The tests, and Python itself, may be in folders that only root may read.
    capabilities = [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
    user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *capabilities]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    if temporary is not None:
        variables["TMPDIR"] = str(temporary)
    return subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", READ_ONLY, "sh", writable or "", *user),
            *(sys.executable, "-m", "job", *map(str, arguments)),
        ],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

"""Packages that a command imports, determined in a separate process."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes import REPOSITORY

HEAVY = ("tensorflow", "keras", "pandas", "numpy", "sklearn", "matplotlib", "seaborn", "pyarrow", "PIL")


def imported_by(*arguments: object) -> set[str]:
    """Return the top-level packages in memory after a command."""
    code = (
        "import os, runpy, sys\n"
        "leave = os._exit\n"
        "def report(code):\n"
        "    print(code)\n"
        "    print(*{name.partition('.')[0] for name in sys.modules}, flush=True)\n"
        "    leave(code)\n"
        "os._exit = report\n"
        "sys.argv = ['job', *sys.argv[1:]]\n"
        "runpy.run_module('job', run_name='__main__')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    *_, exit_code, packages = result.stdout.splitlines()
    assert exit_code == "0"
    return set(packages.split())

"""Packages that a command imports, determined in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.processes import REPOSITORY

HEAVY = ("tensorflow", "keras", "pandas", "numpy", "sklearn", "matplotlib", "seaborn", "pyarrow", "PIL")


def imported_by(*arguments: object) -> set[str]:
    """Return the top-level packages in memory after a command."""
    return imported_by_all(arguments)


def imported_by_all(*commands: tuple[object, ...]) -> set[str]:
    """Return the top-level packages in memory after some commands, run one after the other in one process."""
    code = (
        "import json, os, runpy, sys\n"
        "class Left(BaseException): pass\n"
        "def leave(code):\n"
        "    assert code == 0\n"
        "    raise Left\n"
        "os._exit, ends = leave, 0\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['job', *arguments]\n"
        "    try:\n"
        "        runpy.run_module('job', run_name='__main__')\n"
        "    except Left:\n"
        "        ends += 1\n"
        "print()\n"
        "print(ends, *{name.partition('.')[0] for name in sys.modules})\n"
    )
    words = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", code, words], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    ends, *packages = done.stdout.splitlines()[-1].split()
    assert int(ends) == len(commands)
    return set(packages)

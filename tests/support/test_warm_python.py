"""Processes that are forked from one with the large libraries behave like those that start Python."""

import os
import signal
from pathlib import Path

from tests.support.warm_python import REPOSITORY, WarmPython

MODULE = """
import os, sys, tempfile
assert __name__ == "__main__"
print(os.getpid(), os.getppid(), os.getcwd(), sys.argv[1:], os.environ.get("OTHER"), tempfile.gettempdir())
print("problem", file=sys.stderr)
if sys.argv[1:]:
    os.kill(os.getpid(), int(sys.argv[1]))
sys.exit(3)
"""


def warm(folder: Path, *arguments: str) -> WarmPython:
    (folder / "program.py").write_text(MODULE)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder)}
    return WarmPython("program", *arguments, environment=environment, folder=folder)


def test_it_is_a_child_with_its_own_environment(tmp_path: Path) -> None:
    with warm(tmp_path) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert stdout == f"{process.pid} {os.getpid()} {tmp_path} [] None {tmp_path}\n"
    assert (stderr, process.returncode) == ("problem\n", 3)


def test_signals_and_states_are_those_of_a_child(tmp_path: Path) -> None:
    with warm(tmp_path, str(int(signal.SIGSTOP))) as process:
        ended = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.si_code == os.CLD_STOPPED
        process.kill()
        assert process.wait(60) == -signal.SIGKILL

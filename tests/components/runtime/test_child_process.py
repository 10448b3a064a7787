"""Child processes: signals to the whole job do not reach them, and they end with their parent."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from components.base.errors import TerminationError
from components.evaluator import serving_process
from components.runtime.child_process import start_child
from tests.support.cases import parametrize_sample
from tests.support.processes import environment, wait_until
from tests.support.termination import TerminationAfter

SLEEP = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"]


def never() -> None: ...


def run_child(
    command: Sequence[str], *, timeout_seconds: float = 60, check: Callable[[], None] = never
) -> subprocess.CompletedProcess[str]:
    with start_child(command) as child:
        return child.finish(timeout_seconds=timeout_seconds, check=check)


def is_running(process: int) -> bool:
    """Return whether a process exists and is not only a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children() -> set[int]:
    """Return the children of this process, also those that have ended and were not waited for."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found


def test_returns_the_exit_code_and_the_output() -> None:
    program = "import sys; sys.stderr.buffer.write(b'\\xff no'); print('yes'); sys.exit(3)"
    done = run_child([sys.executable, "-c", program])
    assert (done.returncode, done.stdout, done.stderr) == (3, "yes\n", "\ufffd no")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_child_ignores_signals_to_the_whole_job(number: signal.Signals) -> None:
    program = f"import os; os.kill(os.getpid(), {number:d}); print('alive')"
    assert run_child([sys.executable, "-c", program]).stdout == "alive\n"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set(), "this process receives signals again"


def test_termination_ends_the_child() -> None:
    before, others = time.monotonic(), children()
    with pytest.raises(TerminationError):
        run_child(SLEEP, check=TerminationAfter(3).check)
    assert time.monotonic() - before < 30
    assert children() == others, "none is left, not even a zombie"


def test_an_error_in_the_block_ends_the_child() -> None:
    others = children()
    with pytest.raises(ZeroDivisionError), start_child(SLEEP):
        raise ZeroDivisionError
    assert children() == others, "none is left, not even a zombie"


def test_the_child_can_wait_for_the_end_of_other_work() -> None:
    program = "import sys, time; sys.stdin.read(); print(time.time())"
    with start_child([sys.executable, "-c", program]) as child:
        time.sleep(0.3)
        worked_until = time.time()
        assert float(child.finish(timeout_seconds=60, check=never).stdout) >= worked_until


def test_a_timeout_ends_the_child() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_child(SLEEP, timeout_seconds=0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
@parametrize_sample(1, "is_late", [False, True])
def test_the_serving_process_ends_with_a_killed_parent(tmp_path: Path, is_late: bool) -> None:
    """It may end before the child has requested that, too."""
    child = f"""
        import os, sys, time
        sys.path.insert(0, {str(Path(serving_process.__file__).parent)!r})
        from serving_process import end_with
        {"time.sleep(0.5)" if is_late else ""}
        end_with({"os.getppid()" if not is_late else "int(sys.argv[1])"})
        open({str(tmp_path / "ready")!r}, "w").close()
        time.sleep(60)
    """
    parent = f"""
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {textwrap.dedent(child)!r}, str(os.getpid())])
        print(child.pid, flush=True)
        {
        ""
        if is_late
        else f'''
        while not os.path.exists({str(tmp_path / "ready")!r}):
            time.sleep(0.01)'''
    }
        os.kill(os.getpid(), 9)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.wait(30) == -9
        wait_until(lambda: not is_running(pid), lambda: "the child still runs", seconds=20)
        assert (tmp_path / "ready").exists() is not is_late

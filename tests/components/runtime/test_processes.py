"""The engine `Processes`: results in order, errors as in this process, and tasks of killed processes run again."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from components.base.errors import ConfigError, JobError, ResourceError, StorageError, TerminationError
from components.runtime import processes
from components.runtime.disk import disk_space_guard
from components.runtime.processes import Processes
from tests.components.runtime.test_child_process import children, is_running
from tests.support.processes import environment, wait_until
from tests.support.tasks import killed_times, never, sleep, square
from tests.support.termination import TerminationAfter


def raise_error(cls: type[Exception], *texts: str) -> None:
    raise cls(*texts)


def full_disk(folder: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "file"))


class TwoPartsError(Exception):
    """An exception that cannot be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


@pytest.fixture(scope="module")
def engine() -> Iterator[Processes]:
    before = children()
    with mock.patch.object(processes, "MIN_SAVED_SECONDS", -1), Processes(2) as opened:
        list(opened.run([never] * 2, never))  # starts both
        yield opened
    assert children() == before, "none is left, not even a zombie"


def test_results_are_in_the_order_of_the_tasks(engine: Processes) -> None:
    results = list(engine.run([partial(square, number) for number in range(20)], never))
    again = list(engine.run([partial(square, number) for number in range(8)], never))
    assert [result for result, _ in results] == [number**2 for number in range(20)]
    used = {process for _, process in results}
    assert len(used) == 2
    assert os.getpid() not in used
    assert {process for _, process in again} <= used, "the processes are used again"


def test_tasks_that_are_quick_or_local_run_in_this_process(engine: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    local = list(engine.run([lambda: square(1)] * 20, never))
    monkeypatch.setattr(processes, "MIN_SAVED_SECONDS", 3.0)
    with Processes(2) as another:
        quick = list(another.run([partial(square, number) for number in range(500)], never))
    assert {process for _, process in quick + local} == {os.getpid()}


def test_processes_do_not_start_for_small_last_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a validation and a test split after a training split."""
    monkeypatch.setattr(processes, "MIN_SAVED_SECONDS", 0.05)
    tasks = [partial(square, 0, seconds=0.2), *[partial(square, 0)] * 2]
    with Processes(2) as engine:
        assert {process for _, process in engine.run(tasks, never, [50, 1, 1])} == {os.getpid()}
        assert len({process for _, process in engine.run(tasks, never)}) > 1


def test_processes_do_not_start_after_a_task_of_size_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MIN_SAVED_SECONDS", 0.05)
    tasks = [partial(square, 0, seconds=0.1), *[partial(square, 0)] * 2]
    with Processes(2) as engine:
        assert {process for _, process in engine.run(tasks, never, [0, 50, 1])} == {os.getpid()}


def test_processes_start_when_tasks_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MIN_SAVED_SECONDS", 0.4)
    with Processes(2) as engine:
        results = list(engine.run([partial(square, number, seconds=0.1) for number in range(10)], never))
    assert [result for result, _ in results] == [number**2 for number in range(10)]
    assert results[0][1] == os.getpid()
    assert len({process for _, process in results}) == 3


def test_processes_ignore_signals_to_the_whole_job(engine: Processes) -> None:
    tasks = [partial(signal.raise_signal, number) for number in [signal.SIGTERM, signal.SIGINT] * 4]
    assert list(engine.run(tasks, never)) == [None] * 8


def test_tasks_do_not_print_to_standard_output(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MIN_SAVED_SECONDS", -1)
    with Processes(2) as engine:
        list(engine.run([partial(os.write, 1, b"printed")] * 2, never))
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "printed" * 2)


def test_errors_are_those_of_this_process(engine: Processes, tmp_path: Path) -> None:
    def run(task: Callable[[], object]) -> None:
        tasks: list[Callable[[], object]] = [task, *[partial(square, 1)] * 8]
        list(engine.run(tasks, never))

    with pytest.raises(ConfigError) as caught:
        run(partial(raise_error, ConfigError, "epochs is -1"))
    assert str(caught.value) == "epochs is -1"
    assert "in raise_error" in str(caught.value.__cause__), "the traceback in the other process"
    with pytest.raises(StorageError, match="1.5 kB needed"), disk_space_guard(tmp_path, 1500):
        run(partial(full_disk, tmp_path))
    with pytest.raises(RuntimeError, match="TwoPartsError: a b"):
        run(partial(raise_error, TwoPartsError, "a", "b"))


def test_error_is_the_same_after_pickling() -> None:
    error = StorageError("the disk is full", expected="space", remedy="free some")
    error.folder = Path("output")
    copy: JobError = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), vars(copy)) == (StorageError, str(error), vars(error))


def test_tasks_of_killed_processes_run_again(engine: Processes, tmp_path: Path) -> None:
    tasks = [partial(killed_times, 2 if number == 5 else 0, tmp_path, number) for number in range(8)]
    assert list(engine.run(tasks, never)) == [*range(8)]


@pytest.mark.thorough
def test_task_whose_process_is_killed_three_times_fails(engine: Processes, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"ended 3 times .* \(signal 9\)") as caught:
        list(engine.run([partial(killed_times, 3, tmp_path, number) for number in range(8)], never))
    assert "memory" in caught.value.remedy


def test_termination_ends_tasks_at_once(engine: Processes, tmp_path: Path) -> None:
    with pytest.raises(TerminationError):
        list(engine.run([partial(sleep, tmp_path, 600)] * 8, TerminationAfter(3).check))
    assert not any(is_running(int(file.name)) for file in tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
def test_processes_end_with_a_killed_job(tmp_path: Path) -> None:
    program = f"""
from functools import partial
from pathlib import Path
from components.runtime import processes
from tests.support.tasks import never, sleep
processes.MIN_SAVED_SECONDS = -1
if True:  # without `if __name__ == "__main__"`: a process does not import the script
    with processes.Processes(2) as engine:
        list(engine.run([partial(sleep, Path({str(tmp_path)!r}), 600)] * 8, never))
"""
    script = tmp_path / "script.py"
    script.write_text(program)
    with subprocess.Popen([sys.executable, script], env=environment()) as job:
        wait_until(lambda: len([*tmp_path.glob("[0-9]*")]) == 2, lambda: "no process started", seconds=60)
        processes = [int(file.name) for file in tmp_path.glob("[0-9]*")]
        job.kill()
    wait_until(lambda: not any(map(is_running, processes)), lambda: "a process still runs", seconds=20)

"""File systems without locks: every command that needs one exits with 5 before it does anything.

The kernel itself fails `flock`, as it does on mounts without locks (see `tests.support.system_calls`).
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.base.errors import ConfigError, ResourceError
from components.runtime.locks import acquire, is_held
from tests.conftest import FAKES, WriteConfig
from tests.support.processes import REPOSITORY, environment

ERRORS = {"ENOLCK": "No locks available", "ENOSYS": "Function not implemented", "EOPNOTSUPP": "Operation not supported"}
OTHER_ERRORS = [pytest.param(name, marks=pytest.mark.thorough) for name in ("ENOSYS", "EOPNOTSUPP")]


def without_locks(error: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command of the job in a process whose every `flock` fails."""
    command = [sys.executable, "-m", "tests.support.system_calls", "flock", error, sys.executable, "-m", "job"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


@pytest.mark.parametrize("error", ["ENOLCK", *OTHER_ERRORS])
def test_run_without_locks_exits_with_5_before_any_step(tmp_path: Path, fake_config: Path, error: str) -> None:
    ended = without_locks(error, "run", "--config", fake_config, "--root", tmp_path / "root")
    assert ended.returncode == 5
    assert ended.stderr.startswith(
        f"error: the file system of {tmp_path / 'root'} cannot lock files: {ERRORS[error]}\n"
    )
    assert "remedy:   use a local disk, or mount it with locks" in ended.stderr
    assert ended.stdout == ""
    assert [path for path in files(tmp_path / "root") if path.is_file()] == []


@pytest.mark.thorough
def test_doctor_reports_a_file_system_without_locks(tmp_path: Path) -> None:
    ended = without_locks("ENOLCK", "doctor", "--root", tmp_path)
    assert ended.returncode == 5
    assert f"error: root: the file system of {tmp_path} cannot lock files: No locks available" in ended.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("error", sorted(ERRORS))
@pytest.mark.parametrize("held", [True, False])
def test_gc_without_locks_deletes_nothing(finished_root: Path, error: str, held: bool) -> None:
    (run,) = (finished_root / "runs").glob("2*")
    if held:  # as a run on another machine, which has locks, may do
        (run / "lock").touch()
    before = files(finished_root)
    ended = without_locks(error, "gc", "--root", finished_root, "--keep", "1", "--older-than", "0s", "--delete")
    assert ended.returncode == 5
    assert ended.stderr.startswith(f"error: the file system of {finished_root} cannot lock files: ")
    assert files(finished_root) == before
    assert without_locks(error, "verify", "--root", finished_root).returncode == 0, "reading needs no lock"


@pytest.mark.thorough
def test_destination_without_locks_ends_before_any_step(tmp_path: Path, write_config: WriteConfig) -> None:
    config = write_config({**FAKES, "pusher": {"destination": str(tmp_path / "serving")}})
    ended = without_locks("ENOLCK", "run", "--config", config, "--root", tmp_path / "root")
    assert ended.returncode == 5
    assert f"the file system of {tmp_path} cannot lock files" in ended.stderr
    assert not (tmp_path / "root" / "runs").exists()


def in_this_process(path: Path, error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise error

    path.touch()
    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.mark.parametrize("use", [is_held, lambda path: acquire(path).__enter__()])
def test_lock_that_cannot_be_determined_is_not_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], object]
) -> None:
    in_this_process(tmp_path / "lock", OSError(5, "Input/output error"), monkeypatch)
    with pytest.raises(ResourceError, match="cannot lock files: Input/output error"):
        use(tmp_path / "lock")


def test_lock_that_may_not_be_read_is_not_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(ConfigError, match="cannot read the lock .*: Permission denied"):
        is_held(tmp_path / "lock")

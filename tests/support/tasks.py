"""Tasks for engines, in a module that other processes import quickly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def never() -> None: ...


def square(number: int, seconds: float = 0) -> tuple[int, int]:
    """Return the square, and the process that computed it."""
    time.sleep(seconds)
    return number**2, os.getpid()


def killed_times(times: int, folder: Path, number: int) -> int:
    """Kill this process the first times; then return the number."""
    attempt = folder / str(number)
    count = int(attempt.read_text()) if attempt.exists() else 0
    attempt.write_text(str(count + 1))
    if count < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep(folder: Path, seconds: float) -> None:
    """Write the id of this process to a folder, and sleep."""
    (folder / str(os.getpid())).touch()
    time.sleep(seconds)


def sleep_once(folder: Path, number: int) -> int:
    """Write the id of this process to a folder; the first time for this number, also sleep for minutes."""
    try:
        (folder / f"task-{number}").touch(exist_ok=False)
    except FileExistsError:
        return number
    sleep(folder, 600)
    return number


def allocate_forever(folder: Path, number: int) -> int:
    """Allocate memory until the file `enough` is in the folder."""
    allocated = []
    while not (folder / "enough").exists():
        allocated.append(b"\1" * 10_000_000)
    return number

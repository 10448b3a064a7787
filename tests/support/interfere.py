"""Run the job, and interfere with it at a chosen moment: send a signal, fill the disk, or exhaust the memory.

    python -m tests.support.interfere PLAN run --config ...

PLAN is JSON. `at` and `path` define when: at the `count`-th `mkdir`, `open`, `rename` or `remove` of a path that
matches; `before` or `after` the `count`-th call of a method (`path` is `module:Class.method`); or before the `count`-th
group of training steps (`step`); then `delay` seconds later. `do` defines the action: a signal to this process (`KILL`,
`STOP`, `TERM`), `fill` the disk of `path` except `leave` bytes, or `eat` all memory.
"""

from __future__ import annotations

import fnmatch
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

BLOCK = 4096


class Interference:
    """Acts once, at the moment that its plan defines."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.at: str = plan["at"]
        self.path: str = plan.get("path", "*")
        self.left: int = plan.get("count", 1)
        self.delay: float = plan.get("delay", 0.0)
        self.do: str = plan["do"]
        self.leave: int = plan.get("leave", 0)

    def arm(self) -> None:
        """Start to watch for the moment."""
        if self.at == "step":
            self._watch_calls("components.trainer.training_loop:TrainingLoop.advance")
        elif self.at in ("before", "after"):
            self._watch_calls(self.path)
        else:
            sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        names = {"open": "open", "mkdir": "os.mkdir", "rename": "os.rename", "remove": "os.remove"}
        if event != names[self.at] or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.fspath(arguments[0])
        if fnmatch.fnmatch(str(path), self.path):
            self._count(Path(str(path)))

    def _watch_calls(self, path: str) -> None:
        module, _, name = path.partition(":")
        if module.startswith("components.trainer"):
            from components.runtime.tensorflow import import_tensorflow

            import_tensorflow()
        cls_name, _, method_name = name.partition(".")
        cls = getattr(importlib.import_module(module), cls_name)
        method = getattr(cls, method_name)

        def counted(*arguments: Any, **options: Any) -> Any:
            if self.at != "after":
                self._count(Path())
            result = method(*arguments, **options)
            if self.at == "after":
                self._count(Path())
            return result

        setattr(cls, method_name, counted)

    def _count(self, path: Path) -> None:
        self.left -= 1
        if self.left == 0:
            if self.delay:
                threading.Thread(target=self._act_later, args=(path,), daemon=True).start()
            else:
                self._act(path)

    def _act_later(self, path: Path) -> None:
        time.sleep(self.delay)
        self._act(path)

    def _act(self, path: Path) -> None:
        if self.do == "fill":
            fill(path, leave=self.leave)
        elif self.do == "eat":
            eaten = []
            while True:
                eaten.append(b"x" * 50_000_000)
        else:
            os.kill(os.getpid(), signal.Signals[f"SIG{self.do}"])


def fill(path: Path, *, leave: int) -> None:
    """Fill the disk of a path with a file named `ballast`, except this many bytes."""
    disk = next(parent for parent in path.parents if parent.is_mount())
    size = shutil.disk_usage(disk).free - leave
    with (disk / "ballast").open("wb") as file:
        for _ in range(size // BLOCK):
            file.write(b"\0" * BLOCK)


def main() -> None:
    """Arm, and run the job."""
    Interference(json.loads(sys.argv[1])).arm()
    sys.argv = ["mnist-job", *sys.argv[2:]]
    from job.__main__ import main as run_job

    run_job()


if __name__ == "__main__":
    main()

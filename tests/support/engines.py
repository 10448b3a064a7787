"""An engine for tests, on which small data sets have many files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from unittest import mock

from components.base.engine import Engine, Result
from components.example_gen import write
from components.io import splits
from components.runtime import processes

GROUP_ROWS = 40
SECTION_BYTES = 400_000


@dataclass(frozen=True)
class SmallFiles:
    """An engine on which a split of some thousand images has many files."""

    engine: Engine

    @property
    def parallel(self) -> int:
        return self.engine.parallel

    def run(
        self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None], sizes: Sequence[int] | None = None
    ) -> Iterator[Result]:
        return self.engine.run([partial(with_small_files, task) for task in tasks], check, sizes)


def with_small_files(task: Callable[[], Result]) -> Result:
    """Run a task with small files, in any process."""
    with (
        mock.patch.object(splits, "MAX_GROUP_ROWS", GROUP_ROWS),
        mock.patch.object(write, "SECTION_BYTES", SECTION_BYTES),
        mock.patch.object(processes, "MIN_SAVED_SECONDS", -1),
    ):
        return task()

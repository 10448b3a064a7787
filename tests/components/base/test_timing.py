"""The stopwatch of a step: every moment counts for one part at most."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components import Context
from components.base.timing import Elapsed, Stopwatch, read_clocks


class Clocks:
    """Stand still but for what a test lets go by: twice as much on the processors as on the wall."""

    def __init__(self) -> None:
        self.now = Elapsed(1000.0, 50.0)

    def __call__(self) -> Elapsed:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += Elapsed(seconds, 2 * seconds)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def stopwatch(clocks: Clocks) -> Stopwatch:
    return Stopwatch(read=clocks)


def test_parts_are_told_in_the_order_in_which_they_were_begun(clocks: Clocks, stopwatch: Stopwatch) -> None:
    for part, seconds in (("reading", 3), ("writing", 1), ("reading", 4)):
        clocks.go_on(10)
        with stopwatch.timed(part):
            clocks.go_on(seconds)
    assert list(stopwatch.parts().items()) == [("reading", Elapsed(7, 14)), ("writing", Elapsed(1, 2))]
    assert stopwatch.elapsed() == Elapsed(38, 76)


def test_a_part_within_a_part_is_not_counted_twice(clocks: Clocks, stopwatch: Stopwatch) -> None:
    with stopwatch.timed("drawing"):
        clocks.go_on(1)
        with stopwatch.timed("imports"):
            clocks.go_on(2)
            with stopwatch.timed("drawing"):
                clocks.go_on(4)
            clocks.go_on(8)
        clocks.go_on(16)
    assert stopwatch.parts() == {"drawing": Elapsed(21, 42), "imports": Elapsed(10, 20)}
    assert sum(stopwatch.parts().values(), Elapsed()) == stopwatch.elapsed()


def test_a_block_that_fails_counts(clocks: Clocks, stopwatch: Stopwatch) -> None:
    with pytest.raises(ZeroDivisionError), stopwatch.timed("training"):
        clocks.go_on(2)
        with stopwatch.timed("checkpoints"):
            clocks.go_on(1)
            raise ZeroDivisionError
    clocks.go_on(5)
    assert stopwatch.parts() == {"training": Elapsed(2, 4), "checkpoints": Elapsed(1, 2)}


def test_blocks_that_end_in_the_wrong_order_take_nothing_that_is_not_theirs(
    clocks: Clocks, stopwatch: Stopwatch
) -> None:
    outer, inner = stopwatch.timed("outer"), stopwatch.timed("inner")
    for block in (outer, inner):
        block.__enter__()
        clocks.go_on(1)
    for block in (outer, inner):
        block.__exit__(None, None, None)
        clocks.go_on(10)
    assert stopwatch.parts() == {"outer": Elapsed(1, 2), "inner": Elapsed(1, 2)}


def test_a_context_that_nobody_gave_a_stopwatch_has_one(tmp_path: Path) -> None:
    context = Context(output=tmp_path)
    with context.timed("reading"):
        pass
    assert list(context.stopwatch.parts()) == ["reading"]


def test_processes_that_were_started_and_have_ended_count_too() -> None:
    before = read_clocks()
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-S", "-c", busy], check=True)
    assert (read_clocks() - before).cpu_seconds >= 0.25

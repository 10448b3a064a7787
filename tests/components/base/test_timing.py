"""The stopwatch of a step: time counts for at most one part."""

import subprocess
import sys
from pathlib import Path

import pytest

from components import Context
from components.base.timing import Elapsed, Stopwatch, read_clocks


class Clocks:
    """Clocks that a test advances: CPU time by twice as much as wall time."""

    def __init__(self) -> None:
        self.now = Elapsed(1000.0, 50.0)

    def __call__(self) -> Elapsed:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += Elapsed(seconds, 2 * seconds)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def stopwatch(clocks: Clocks) -> Stopwatch:
    return Stopwatch(read=clocks)


def test_parts_are_in_the_order_in_which_they_began(clocks: Clocks, stopwatch: Stopwatch) -> None:
    for part, seconds in (("reading", 3), ("writing", 1), ("reading", 4)):
        clocks.advance(10)
        with stopwatch.timed(part):
            clocks.advance(seconds)
    assert list(stopwatch.parts().items()) == [("reading", Elapsed(7, 14)), ("writing", Elapsed(1, 2))]
    assert stopwatch.elapsed() == Elapsed(38, 76)


def test_observer_is_called_with_the_innermost_part(clocks: Clocks) -> None:
    parts: list[str] = []
    stopwatch = Stopwatch(read=clocks, on_part=parts.append)
    with stopwatch.timed("reading"), stopwatch.timed("imports"):
        pass
    with pytest.raises(ValueError, match="broken"), stopwatch.timed("writing"):
        raise ValueError("broken")
    assert parts == ["reading", "imports", "reading", "writing"]


def test_nested_parts_are_not_counted_twice(clocks: Clocks, stopwatch: Stopwatch) -> None:
    with stopwatch.timed("drawing"):
        clocks.advance(1)
        with stopwatch.timed("imports"):
            clocks.advance(2)
            with stopwatch.timed("drawing"):
                clocks.advance(4)
            clocks.advance(8)
        clocks.advance(16)
    assert stopwatch.parts() == {"drawing": Elapsed(21, 42), "imports": Elapsed(10, 20)}
    assert sum(stopwatch.parts().values(), Elapsed()) == stopwatch.elapsed()


def test_a_block_that_raises_counts(clocks: Clocks, stopwatch: Stopwatch) -> None:
    with pytest.raises(ZeroDivisionError), stopwatch.timed("training"):
        clocks.advance(2)
        with stopwatch.timed("checkpoints"):
            clocks.advance(1)
            raise ZeroDivisionError
    clocks.advance(5)
    assert stopwatch.parts() == {"training": Elapsed(2, 4), "checkpoints": Elapsed(1, 2)}


def test_blocks_closed_out_of_order_keep_their_own_time(clocks: Clocks, stopwatch: Stopwatch) -> None:
    outer, inner = stopwatch.timed("outer"), stopwatch.timed("inner")
    for block in (outer, inner):
        block.__enter__()
        clocks.advance(1)
    for block in (outer, inner):
        block.__exit__(None, None, None)
        clocks.advance(10)
    assert stopwatch.parts() == {"outer": Elapsed(1, 2), "inner": Elapsed(1, 2)}


def test_context_has_a_stopwatch_by_default(tmp_path: Path) -> None:
    context = Context(output=tmp_path)
    with context.timed("reading"):
        pass
    assert list(context.stopwatch.parts()) == ["reading"]


def test_cpu_time_includes_ended_child_processes() -> None:
    before = read_clocks()
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-S", "-c", busy], check=True)
    assert (read_clocks() - before).cpu_seconds >= 0.25

"""What a person sees on standard error while images are read: a bar on a terminal, and what was skipped."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Self

from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from rich.console import Console

    from components.base.errors import DataError


class ProgressReporter:
    """Tells what is skipped, each in a line, and nothing else: no bar without a terminal.

    Args:
        console: where to.

    Attributes:
        skipped: how many images and files were.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.skipped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def expect(self, count: Callable[[], int]) -> None:
        """Hear of more images; how many is only counted where it is told."""

    def advance(self, images: int) -> None:
        """Hear that some were answered."""

    def aside(self) -> AbstractContextManager[None]:
        """Return a block in which answers are told."""
        return nullcontext()

    def skip(self, error: DataError) -> None:
        """Hear why an image, or a file, is not answered."""
        self.skipped += 1
        self.console.print(f"[bold yellow]skipped:[/] {escape(error.headline)}", highlight=False, soft_wrap=True)


class ProgressBar(ProgressReporter):
    """Has a bar too: images, images a second, time left.

    Args:
        console: where to; a terminal.
        beside: where answers are told; if that is a terminal too, the bar goes while they are.
    """

    def __init__(self, console: Console, beside: Console) -> None:
        super().__init__(console)
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.bars = Progress(
            TextColumn("  images"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
        )
        self.task = self.bars.add_task("", total=None, speed="the model is loaded")
        self.expected = 0
        self.in_the_way = beside.is_terminal

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.bars.stop()

    def expect(self, count: Callable[[], int]) -> None:
        if not self.expected:
            self.bars.reset(self.task, speed="")  # the time until now was the model's
        self.expected += count()
        self.bars.update(self.task, total=self.expected)

    def advance(self, images: int) -> None:
        self.bars.advance(self.task, images)
        speed = self.bars.tasks[0].speed
        self.bars.update(self.task, speed=f"{speed:,.0f} images/s" if speed else "")

    @contextmanager
    def aside(self) -> Iterator[None]:
        if not self.in_the_way:
            yield
            return
        self.bars.stop()
        yield
        self.bars.start()

    def skip(self, error: DataError) -> None:
        super().skip(error)
        self.bars.advance(self.task)


def make_progress_reporter(console: Console, *, beside: Console) -> ProgressReporter:
    """Return who tells on a console how reading goes, beside another on which answers are told."""
    return ProgressBar(console, beside) if console.is_terminal else ProgressReporter(console)

"""Progress of transfers to and from object storage: a bar on a terminal, lines elsewhere; neither for short ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from components.base.formatting import counted, format_size
from job.reporters.terminal import make_console, make_progress, print_text

if TYPE_CHECKING:
    from rich.console import Console

    from components.object_storage.objects import OnBytes

BAR_AFTER_SECONDS = 0.5
LINE_AFTER_SECONDS = 2.0
LINE_SECONDS = 10.0
"""Between two lines about one transfer."""


class TransferReporter:
    """Shows transfers on standard error, for commands that have no reporter."""

    def __init__(self) -> None:
        self._console: Console | None = None

    @contextmanager
    def transfer(self, text: str, *, files: int, size: int) -> Iterator[OnBytes]:
        self._console = console = self._console or make_console(stderr=True)
        with show_transfer(console, lambda line: print_text(console, "", escape(line)), text, files, size) as on_bytes:
            yield on_bytes


@contextmanager
def show_transfer(
    console: Console, print_line: Callable[[str], None], text: str, files: int, size: int
) -> Iterator[OnBytes]:
    """Show a transfer as a bar on a console that is a terminal, or else as lines."""
    if not console.is_terminal:
        with print_transfer(print_line, text, files, size) as on_bytes:
            yield on_bytes
        return
    from rich.progress import DownloadColumn
    from rich.table import Column

    began = time.monotonic()
    progress = make_progress(console, f"  {escape(text)}", count=DownloadColumn(table_column=Column(no_wrap=True)))
    task = progress.add_task("", total=size)

    def show(count: int) -> None:
        progress.advance(task, count)
        if time.monotonic() - began >= BAR_AFTER_SECONDS:
            progress.start()  # once

    try:
        yield show
    finally:
        progress.stop()


@contextmanager
def print_transfer(print_line: Callable[[str], None], text: str, files: int, size: int) -> Iterator[OnBytes]:
    """Print a line after some seconds of a transfer, more during a long one, and a last one."""
    began = printed = time.monotonic()
    done, total = 0, f"{counted(files, 'file')}, {format_size(size)}"

    def show(count: int) -> None:
        nonlocal done, printed
        done, now = done + count, time.monotonic()
        if now - printed >= (LINE_AFTER_SECONDS if printed == began else LINE_SECONDS):
            printed = now
            print_line(f"{text}: {total}, {done / max(size, 1):.0%}")

    yield show
    if printed != began:
        print_line(f"{text}: {total}, done in {time.monotonic() - began:.0f} s")

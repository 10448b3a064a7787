"""Progress of predictions on standard error: skipped images, and on a terminal a progress bar."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from rich.console import Console
from rich.markup import escape

from components.base.errors import DataError
from components.base.progress import NoProgress
from job.reporters.terminal import make_progress, print_line


class ProgressReporter(NoProgress):
    """Prints one line for each skipped image or file, and counts them; has no progress bar."""

    def __init__(self, console: Console) -> None:
        self.skipped = 0
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def expect(self, count: Callable[[], int]) -> None:
        """Add images to the expected number; `count` is called only if the number is displayed."""

    def advance(self, images: int) -> None:
        """Add images to the number of predicted ones."""

    def hidden(self) -> AbstractContextManager[None]:
        """Return a context in which predictions can be printed."""
        return nullcontext()

    def begin_part(self, part: str) -> None:
        """Called when bulk inference begins a part of its work, such as `loading`."""

    def waiting(self, owner: str) -> None:
        """Print which process is predicting the same images."""
        print_line(self._console, escape(f"waiting for {owner}, which is writing to the same folder"))

    def warning(self, text: str) -> None:
        """Print one sentence that the user should not miss."""
        print_line(self._console, f"[bold yellow]warning:[/] {escape(text)}")

    def skip(self, error: DataError) -> None:
        """Print why an image or a file has no prediction."""
        self.skipped += 1
        print_line(self._console, f"[bold yellow]skipped:[/] {escape(error.headline)}")


class ProgressBar(ProgressReporter):
    """Also displays a bar with images, speed and remaining time, hidden while predictions are printed on a terminal."""

    def __init__(self, console: Console, predictions: Console) -> None:
        super().__init__(console)
        self._progress = make_progress(console, "  images", "{task.fields[speed]}", redirect_stdout=False)
        self._task = self._progress.add_task("", total=None, speed="loading the model")
        self._expected = 0
        self._shares_terminal = predictions.is_terminal

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin_part(self, part: str) -> None:
        if not self._expected:
            self._progress.update(self._task, speed=part)

    def expect(self, count: Callable[[], int]) -> None:
        if not self._expected:
            self._progress.reset(self._task, speed="")  # excludes the time to load the model
        self._expected += count()
        self._progress.update(self._task, total=self._expected)

    def advance(self, images: int) -> None:
        self._progress.advance(self._task, images)
        speed = self._progress.tasks[0].speed
        self._progress.update(self._task, speed=f"{speed:,.0f} images/s" if speed else "")

    @contextmanager
    def hidden(self) -> Iterator[None]:
        if not self._shares_terminal:
            yield
            return
        self._progress.stop()
        yield
        self._progress.start()

    def skip(self, error: DataError) -> None:
        super().skip(error)
        self._progress.advance(self._task)

"""Observer of the reading and prediction of images."""

from collections.abc import Callable
from typing import Protocol

from components.base.errors import DataError


class InputObserver(Protocol):
    """Listener of the reading and prediction of images."""

    def expect(self, count: Callable[[], int]) -> None:
        """Called before images are read, with a function that returns their approximate number."""

    def advance(self, images: int) -> None:
        """Called after some images are predicted."""

    def warning(self, text: str) -> None:
        """Called with one sentence that the user should not miss."""

    def skip(self, error: DataError) -> None:
        """Called for each image or file that cannot be read."""


class NoObserver:
    """Observer that ignores everything, for tests and for use as a library."""

    def expect(self, count: Callable[[], int]) -> None: ...

    def advance(self, images: int) -> None: ...

    def warning(self, text: str) -> None: ...

    def skip(self, error: DataError) -> None: ...

"""What a form is to the code that exports: a module that writes it, and reads it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.trainer.export.serving_model import ServingModel

Answers: TypeAlias = dict[str, "NDArray[Any]"]
"""`probabilities`, float32 [count, classes], and of most forms `label`, int64 [count]."""


class Form(Protocol):
    """A module that writes one form, and reads it back."""

    @property
    def TITLE(self) -> str:  # noqa: N802
        """What the form is called."""

    def write(self, deployable: ServingModel, path: Path, images: NDArray[np.uint8]) -> None:
        """Write a deployable to a file or directory that is not there yet, the same bytes for the same weights.

        Args:
            deployable: what to write.
            path: where to.
            images: some raw ones, for a form that keeps such.
        """

    def read(self, path: Path) -> Callable[[NDArray[np.uint8]], Answers]:
        """Return what the form's own runtime answers of raw images, uint8 [count, height, width]."""

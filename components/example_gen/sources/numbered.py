"""Base class of the sources whose labels are numbers, as in the files of MNIST and EMNIST."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from components.base.addresses import with_addresses
from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.sources.base import SourceConfig
from components.io.emnist import is_emnist, transposed_images

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class NumberedSource(SourceConfig):
    """Labels are whole numbers without gaps; each is the name of its class."""

    classes: Annotated[int, Field(strict=True, ge=2, le=256)] = 10
    """Number of classes."""
    first_label: Annotated[int, Field(strict=True, ge=0, le=254)] = 0
    """The lowest label, such as 1 for EMNIST's letters, which are labelled 1 to 26."""
    transpose: Annotated[bool, Field(strict=True)] = False
    """Whether to transpose the images: EMNIST stores them column by column."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels as text."""
        return tuple(str(self.first_label + index) for index in range(self.classes))

    def identity(self) -> dict[str, str]:
        keys = ("classes", "first_label", "transpose")
        return {key: str(getattr(self, key)) for key in keys}

    def to_class_indices(self, labels: NDArray[np.int64], path: Path) -> NDArray[np.int64]:
        """Return the index of each label's class, from 0; raise DataError if a label of the file has no class."""
        indices = labels - self.first_label
        if len(labels) and (indices.min() < 0 or indices.max() >= self.classes):
            low, high = int(labels.min()), int(labels.max())
            row = int(((indices < 0) | (indices >= self.classes)).argmax())
            first = "" if low == self.first_label else f"first_label: {low} and "
            remedy = f"correct the label, or set example_gen.source.{first}classes: {max(2, high - low + 1)}"
            if is_emnist(path) and not self.transpose:
                remedy += "; for EMNIST also transpose: true"
            raise DataError(
                f"image {row} of {path} has the label {labels[row]}; its labels are {low} to {high}",
                expected=f"labels from {self.first_label} to {self.first_label + self.classes - 1}",
                remedy=remedy,
            )
        return indices

    def warn_if_transposed(self, path: Path, context: Context) -> None:
        """Warn of a file of EMNIST, by its name, for which `transpose` is not set."""
        if is_emnist(path) and "transpose" not in self.model_fields_set:
            warning = transposed_images(path, "example_gen.source.transpose: true")
            context.progress.warning(with_addresses(warning))

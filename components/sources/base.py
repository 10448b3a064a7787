"""What every source is: a config that can say what its data is and load it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from components.component import ComponentConfig

if TYPE_CHECKING:
    import numpy as np

    from components.data.formats import ImageSplit
    from components.progress import Progress


@dataclass(frozen=True)
class Dataset:
    """Labelled grey images as a source gives them."""

    title: str
    """What the data is called; nothing of where it lies, for the same data is the same artifact."""
    class_names: tuple[str, ...]
    train: ImageSplit[np.uint8]
    """uint8 [count, height, width] and int64 [count], in the source's own order."""
    test: ImageSplit[np.uint8] | None
    """The source's own test set, if it has one; of the same height and width."""


class SourceConfig(ComponentConfig):
    """Base of the sources."""

    # In a file the kind must be said, though in Python a class says it: the schema is of files.
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: str

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Return what decides the data, cheaply: digests of files, or a name and version.

        Where the data lies is not part of it: the same bytes elsewhere are the same data.

        Raises:
            DataError: if the data cannot be found or read.
        """

    @abstractmethod
    def load(self, progress: Progress) -> Dataset:
        """Read all images and labels.

        Raises:
            DataError: if the data is missing, malformed or contradicts itself.
            ConfigError: if the source's config asks for what the data does not have.
        """

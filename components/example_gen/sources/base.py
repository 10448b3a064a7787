"""What every source is: a config that can say what its data is, and give it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from components.base.component import ComponentConfig

if TYPE_CHECKING:
    from pathlib import Path

    from components.base.component import Context
    from components.io.raw_images import LabelledImages


@dataclass(frozen=True)
class Dataset:
    """Labelled grey images as a source gives them."""

    title: str
    """What the data is called; nothing of where it lies, for the same data is the same artifact."""
    class_names: tuple[str, ...]
    train: LabelledImages
    """In the source's own order."""
    test: LabelledImages | None
    """The source's own test set, if it has one; of the same height and width."""

    def parts(self) -> list[LabelledImages]:
        """Return the training set and, if there is one, the test set."""
        return [self.train] if self.test is None else [self.train, self.test]


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
    def load(self, context: Context, scratch: Path) -> Dataset:
        """Read all labels, and see to it that the images lie in files, row by row.

        Never all images at once: there may be more of them than memory.

        Args:
            context: whom to tell and to heed.
            scratch: a folder for images that do not lie like that already.

        Raises:
            DataError: if the data is missing, malformed or contradicts itself.
            ConfigError: if the source's config asks for what the data does not have.
            StorageError: if the disk is full.
        """

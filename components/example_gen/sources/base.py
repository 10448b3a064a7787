"""Base class of the sources, and the dataset that a source loads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from components.base.component import ComponentConfig, Context
from components.base.errors import DataError
from components.base.text import parse_name
from components.io.conversion import Channels

if TYPE_CHECKING:
    from components.artifacts.examples import Source
    from components.io.raw_images import LabelledImages


@dataclass(frozen=True)
class Dataset:
    """Labelled images in the order of their source."""

    title: str
    """Name of the data for figures and tables. It has no path: the same data elsewhere is the same artifact."""
    class_names: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages | None
    """The source's test set, if it has one; of the same height and width."""

    def __post_init__(self) -> None:
        for name in self.class_names:
            check_class_name(name)
        if len(self.class_names) < 2:
            problem = f"{self.title}: all images have the same label, `{self.class_names[0]}`"
            remedy = "correct the labels, or add images"
            raise DataError(problem, expected="images of at least two classes", remedy=remedy)

    def parts(self) -> list[LabelledImages]:
        """Return the training set and the test set, if there is one."""
        return [self.train] if self.test is None else [self.train, self.test]

    def with_channels(self, channels: Channels, scratch: Path, check: Callable[[], None]) -> Dataset:
        """Return the dataset with all images in one number of channels; copies are made in `scratch`.

        `check` is called between chunks.
        """
        from components.io.raw_images import LabelledImages, convert_channels

        if channels == "auto":
            channels = 3 if any(part.images.channels == 3 for part in self.parts()) else 1
        parts = [
            LabelledImages(convert_channels(part.images, channels, scratch / f"converted-{number}", check), part.labels)
            for number, part in enumerate(self.parts())
        ]
        return replace(self, train=parts[0], test=parts[1] if self.test is not None else None)


def check_class_name(name: str) -> None:
    """Raise DataError for the name of a class that would change what a terminal or the report displays."""
    try:
        parse_name(name)
    except ValueError as error:
        expected = "classes with names of printable characters"
        raise DataError(f"a class has no valid name: {error}", expected=expected, remedy="rename the class") from error


class SourceConfig(ComponentConfig):
    """Base class of the sources: the configuration of a source, which loads its data."""

    # A configuration file must name the kind, although a class has it as a default.
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: str
    channels: Channels = "auto"
    """1 for grayscale images, 3 for red, green and blue, or `auto`: 3 if any image has color."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Return what identifies the data, quickly: digests of files, or a name and version, but no path.

        Several files are one digest by `value_sha256` of their names and digests: no character in a name can make two
        folders equal.
        """

    def is_version_of(self, other: Source) -> bool:
        """Return whether the data are another version of those of some examples, so that drift can be measured."""
        return other.kind == self.kind

    @abstractmethod
    def load(self, context: Context, scratch: Path) -> Dataset:
        """Read all labels, and store the images row by row in files, because they may not fit into memory.

        Args:
            context: for progress messages, timing and termination.
            scratch: a folder for images that are not stored row by row already.

        Raises:
            DataError: if the data is missing, malformed or inconsistent.
            ConfigError: if the configuration does not fit the data.
        """

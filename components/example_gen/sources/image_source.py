"""Custom sources: their base class, and the section of the configuration that names one by `use`."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zipfile import BadZipFile

from pydantic import ConfigDict

from components.base.component import Context
from components.base.errors import ConfigError, DataError
from components.base.extension import USE, Extension
from components.example_gen.sources.base import Dataset, SourceConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from components.io.raw_images import RawImages

Batch = tuple["ArrayLike", "ArrayLike"]
"""Images and their labels."""
UNREADABLE = (OSError, EOFError, BadZipFile)
"""Errors of missing and damaged files."""
IMAGES = "uint8 [batch, height, width] or [batch, height, width, 3]"


class ImageSource(ABC):
    """Base class of a custom source of labelled images.

    The parameters of `__init__` are the options of the source in the configuration.

    >>> import numpy as np
    >>> class Stripes(ImageSource):
    ...     class_names = ("horizontal", "vertical")
    ...     def __init__(self, count: int = 100) -> None:
    ...         self.count = count
    ...     def identity(self) -> dict[str, str]:
    ...         return {}  # the option alone identifies the data
    ...     def batches(self) -> Iterator[Batch]:
    ...         stripes = np.tile(np.uint8([[0], [255]]), (4, 8))
    ...         yield np.stack([stripes, stripes.T] * self.count), [0, 1] * self.count
    >>> CustomSource(use=Stripes, count=8).identity()["count"]
    '8'
    """

    title: str = ""
    """Name of the data for figures and tables; by default the name of the class."""
    class_names: Sequence[str] = ()
    """The name of the class with each number, from 0; by default, each distinct label is a class."""

    @abstractmethod
    def identity(self) -> Mapping[str, str]:
        """Return what identifies the data: digests of files, or a version that never changes. Called in every run.

        Options are added, except paths: the same data in another folder have the same identity.
        """

    @abstractmethod
    def batches(self) -> Iterable[Batch]:
        """Yield the training images in batches, always in the same order.

        Images are uint8 [batch, height, width] or, in color, [batch, height, width, 3], all of one size. Labels are
        whole numbers from 0, or text.
        """

    def test_batches(self) -> Iterable[Batch]:
        """Yield the test images in batches; by default there are none."""
        return ()


class CustomSource(Extension, SourceConfig):
    """A custom source: a subclass of `ImageSource`. All other keys are its options."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": [USE]})

    returns: ClassVar[str] = "ImageSource"

    kind: Literal["custom"] = "custom"
    """Selects this source; `use` alone is enough."""

    @classmethod
    def expected(cls) -> str:
        return "a subclass of components.ImageSource with the methods identity and batches"

    @classmethod
    def check_target(cls, target: Any, name: str) -> None:
        if not (isinstance(target, type) and issubclass(target, ImageSource)):
            problem = f"{name} is not a subclass of ImageSource"
        elif inspect.isabstract(target):
            missing = ", ".join(sorted(target.__abstractmethods__))
            problem = f"{name} has no {missing}"
        else:
            return
        raise ConfigError(problem, expected=cls.expected(), remedy="correct the class, or name another")

    def identity(self) -> dict[str, str]:
        source: ImageSource = self()
        paths = {name for name, value in (self.model_extra or {}).items() if isinstance(value, Path)}
        options = self.model_dump(mode="json", exclude={"kind", "channels", *paths})
        with self.catch_errors():
            identity = dict(source.identity())
        if other := next((key for key, value in identity.items() if not isinstance(value, str | int | float)), None):
            # The text of an object or a set is another one in each process, so that nothing would be reused.
            raise self.error(f"has the identity `{other}`: {identity[other]!r}, which is neither text nor a number")
        return {key: str(value) for key, value in (options | identity).items()}

    def is_version_of(self, other: Any) -> bool:
        return super().is_version_of(other) and other.identity.get(USE) == self.use

    def load(self, context: Context, scratch: Path) -> Dataset:
        import numpy as np

        from components.example_gen.sources.labels import index_labels
        from components.io.raw_images import LabelledImages

        source: ImageSource = self()
        images, labels = self._store(source.batches, "training batch", context, scratch / "train")
        if images is None:
            raise self.error("yields no batch of training images")
        test_images, test_labels = self._store(source.test_batches, "test batch", context, scratch / "test")

        def describe(row: int) -> str:
            part, index = ("training", row) if row < images.count else ("test", row - images.count)
            return f"{part} image {index} of {self.use}"

        class_names, indices = index_labels(np.concatenate([*labels, *test_labels]), source.class_names, describe)
        return Dataset(
            title=source.title or type(source).__name__,
            class_names=class_names,
            train=LabelledImages(images, indices[: images.count]),
            test=None if test_images is None else LabelledImages(test_images, indices[images.count :]),
        )

    def _store(
        self, read: Callable[[], Iterable[Batch]], name: str, context: Context, path: Path
    ) -> tuple[RawImages | None, list[NDArray[Any]]]:
        """Write the images to a file; return them and the labels of each batch, or None if there is no batch."""
        from components.io.raw_images import spool_images

        batches = self._checked(read, name)
        first = next(batches, None)
        if first is None:
            return None, []
        (_, height, width, *_), labels = first[0].shape, []
        with spool_images(path, height=height, width=width, channels=self.channels) as spool:
            for batch_images, batch_labels in chain([first], batches):
                context.termination.check()
                spool.append(batch_images)
                labels.append(batch_labels)
        return spool.images(), labels

    def _checked(
        self, read: Callable[[], Iterable[Batch]], name: str
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[Any]]]:
        """Yield the batches as arrays; raise DataError for one of another type or size."""
        import numpy as np

        first = None
        with self.catch_errors():
            for number, (batch_images, batch_labels) in enumerate(read()):
                images, labels = np.asarray(batch_images), np.asarray(batch_labels)
                if images.ndim == 4 and images.shape[3] == 1:
                    images = images[..., 0]
                if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
                    raise self._wrong(f"{name} {number} is {images.dtype} {[*images.shape]}", IMAGES)
                first = images.shape[1:3] if first is None else first
                if images.shape[1:3] != first:
                    sizes = [f"{size[0]}x{size[1]}" for size in (images.shape[1:3], first)]
                    raise self._wrong(f"{name} {number} has images of {sizes[0]}", f"{sizes[1]}, as in the first batch")
                if labels.shape != images.shape[:1]:
                    raise self._wrong(
                        f"{name} {number} has {len(images)} images and labels of shape {[*labels.shape]}",
                        "one label per image",
                    )
                yield images, labels

    @contextmanager
    def catch_errors(self) -> Iterator[None]:
        """Raise DataError for a file that cannot be read, and ConfigError for any other exception of the class."""
        try:
            with super().catch_errors():
                yield
        except ConfigError as error:
            if isinstance(error.__cause__, UNREADABLE):
                remedy = "restore the data, or correct the class"
                raise DataError(error.headline, expected="data that the class can read", remedy=remedy) from error
            raise

    def _wrong(self, problem: str, expected: str) -> DataError:
        return DataError(f"{self.use}: {problem}", expected=expected, remedy="correct the class, or its data")

"""Read the images of several files in order, with an error in place of each that cannot be read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import DataError
from components.inference.preprocessing.input_files import UnreadableError
from components.inference.preprocessing.input_reader import InputImage, InputReader
from components.inference.preprocessing.observer import InputObserver
from components.io.emnist import is_emnist, transposed_images
from components.io.picture_folder import first_frame_only


@dataclass(frozen=True)
class Position:
    """Where reading continues."""

    file: int = 0
    """Index of the file."""
    images: int = 0
    """Number of its images that were read."""


START = Position()


def read_images(
    files: Sequence[Path | UnreadableError], reader: InputReader, observer: InputObserver, start: Position = START
) -> Iterator[tuple[InputImage | UnreadableError, Position]]:
    """Yield each image of the files, or the error if it cannot be read, and the position after it."""
    animated: list[Path] = []
    for number in range(start.file, len(files)):
        position = start if number == start.file else Position(number)
        for image in _read_file(files[number], reader, observer, first=position.images):
            position = Position(number, position.images + 1)
            if isinstance(image, UnreadableError):
                observer.skip(image)
                if image.is_rest:
                    position = Position(number + 1)
            elif image.has_more_frames:
                animated.append(image.path)
            yield image, position
    if animated:
        observer.warning(first_frame_only(animated))


def _read_file(
    file: Path | UnreadableError, reader: InputReader, observer: InputObserver, *, first: int
) -> Iterator[InputImage | UnreadableError]:
    if isinstance(file, UnreadableError):
        yield file
        return
    if is_emnist(file) and not reader.transpose:
        observer.warning(transposed_images(file, "--transpose"))
    try:
        yield from reader.read(file, first)
    except DataError as error:
        yield UnreadableError.of(error, file)

"""Predict the images that no finished shard contains."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from components.bulk_inferrer.inputs import InputFiles
from components.bulk_inferrer.shard_file import ShardFile
from components.bulk_inferrer.shards import Shards
from components.inference.predictor import RawPredictor
from components.inference.preprocessing.input_files import UnreadableError, count_images
from components.inference.preprocessing.input_reader import InputImage, InputReader
from components.inference.preprocessing.observer import InputObserver
from components.inference.preprocessing.read_images import Position, read_images

BATCH_IMAGES = 1000


@dataclass(frozen=True, kw_only=True)
class ShardPredictor:
    """Reads images, predicts them and writes the predictions, shard by shard.

    The batches depend only on the images and the size of a shard: interruptions do not change a bit of the result.
    """

    shards: Shards
    inputs: InputFiles
    reader: InputReader
    predict: RawPredictor
    observer: InputObserver
    check: Callable[[], None]
    """Called for each image."""
    max_rows: int

    def run(self) -> None:
        """Finish all shards that are missing."""
        files = self.inputs.find(self.observer.warning)
        self.observer.expect(partial(count_images, files))
        images = read_images(files, self.reader, self.observer, self.shards.position)
        self.observer.advance(sum(record.rows + len(record.skipped) for record in self.shards.finished))
        while True:
            first = self.shards.position.file
            with self.shards.begin() as file:
                position = self._fill(file, images)
            if position is None:
                return
            self.inputs.check_unchanged(files[first : position.file + 1])
            self.shards.finish(file, position)

    def _fill(
        self, file: ShardFile, images: Iterator[tuple[InputImage | UnreadableError, Position]]
    ) -> Position | None:
        """Write predictions until the shard is full; return the position after it, or None if no image is left."""
        position: Position | None = None
        skipped = 0
        batch: list[InputImage] = []
        for image, after in images:
            self.check()
            position = after
            if isinstance(image, UnreadableError):
                skipped = self.shards.skip(image)
            else:
                batch.append(replace(image, original=image.network_input))  # the original may be large
            is_full = max(file.rows + len(batch), skipped) >= self.max_rows
            if len(batch) == BATCH_IMAGES or is_full:
                self._write(file, batch)
                batch = []
            if is_full:
                break
        self._write(file, batch)
        return position

    def _write(self, file: ShardFile, batch: list[InputImage]) -> None:
        if batch:
            file.write(batch, self.predict(np.stack([image.network_input for image in batch])))
            self.observer.advance(len(batch))

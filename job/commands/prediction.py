"""Images looked at for a model, and the model asked about them, batch by batch."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import DataError
from job.reporters.predictions import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from components.inference.predictor import RawPredictor
    from components.inference.preprocessing.input_reader import InputImage, InputReader
    from job.options import PredictOptions
    from job.reporters.progress import ProgressReporter
    from job.store.resolve import ResolvedModel

BATCH = 1000
"""Images that are asked about together, at most."""
PATIENCE = 0.5
"""Seconds after which fewer are, so that large photos are answered as they come."""


def load_predictor(chosen: ResolvedModel) -> RawPredictor:
    """Return what answers raw images, as sure of itself as the model's evaluation says that it may be."""
    from components.inference.predictor import load_raw_predictor

    predict = load_raw_predictor(chosen.stored, chosen.graph)
    if (temperature := chosen.temperature) is None:
        return predict
    from components.inference.probabilities import apply_temperature

    def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return apply_temperature(predict(images), temperature)

    return scaled


def make_input_reader(chosen: ResolvedModel, question: PredictOptions) -> InputReader:
    """Return what looks at images for the model."""
    from components.inference.preprocessing.grayscale import resize_only
    from components.inference.preprocessing.input_reader import InputReader
    from components.inference.preprocessing.normalize import normalize

    height, width, _ = chosen.stored.artifact.image_shape
    return InputReader(height, width, preprocess=resize_only if question.as_is else normalize)


def look(paths: Iterable[Path], eye: InputReader, watcher: ProgressReporter) -> Iterator[InputImage]:
    """Yield every image that can be read; the watcher is told what is skipped."""
    from components.inference.preprocessing.input_files import count_images, find_files

    for path in paths:
        try:
            files = find_files(path)
        except DataError as error:
            watcher.skip(error)
            continue
        watcher.expect(partial(count_images, [file for file in files if isinstance(file, Path)]))
        for file in files:
            if isinstance(file, DataError):
                watcher.skip(file)
                continue
            try:
                for sight in eye.read(file):
                    if isinstance(sight, DataError):
                        watcher.skip(sight)
                    else:
                        yield sight
            except DataError as error:
                watcher.skip(error)


def in_batches(sights: Iterable[InputImage], check: Callable[[], None]) -> Iterator[list[InputImage]]:
    """Yield images together, at most `BATCH` of them, and no later than `PATIENCE` after the first."""
    batch: list[InputImage] = []
    began = time.monotonic()
    for sight in sights:
        check()
        batch.append(sight)
        if len(batch) == BATCH or time.monotonic() - began > PATIENCE:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch


def ask_about(sights: Sequence[InputImage], ask: RawPredictor) -> list[Answer]:
    """Return what the model says of some images, in their order."""
    import numpy as np

    probabilities = ask(np.stack([sight.network_input for sight in sights]))
    # In as few digits as tell a float32 from its neighbours.
    return [
        Answer(sight.path, sight.row, int(row.argmax()), [float(str(probability)) for probability in row])
        for sight, row in zip(sights, probabilities, strict=True)
    ]

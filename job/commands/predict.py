"""Command `predict`: classify new images with a trained model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import ConfigError, ExitCode
from job.commands.bulk_inference import infer_in_bulk
from job.options import PredictionFormat, PredictOptions
from job.reporters.model import print_model
from job.reporters.predictions import WRITERS, Prediction
from job.reporters.progress import ProgressBar, ProgressReporter
from job.reporters.terminal import make_console
from job.signals import Signals
from job.store.resolved_model import resolve_model

if TYPE_CHECKING:
    from rich.console import Console

    from components.inference.predictor import RawPredictor
    from components.inference.preprocessing.input_reader import InputImage, InputReader
    from components.inference.preprocessing.preview import PreviewWriter

MAX_BATCH_IMAGES = 1000
MAX_BATCH_SECONDS = 0.5
"""After this time a smaller batch is predicted, so that predictions of large photos appear without delay."""


def predict(options: PredictOptions, signals: Signals) -> int:
    """Predict images, print the predictions, and return the exit code."""
    _check_combination(options)
    if options.out is not None:
        return int(infer_in_bulk(options, options.out, signals))
    signals.shield()
    signals.remedy = "the printed predictions are complete; run the same command again for the rest"
    with signals.interruptible():
        return int(_predict(options, signals.check))


def _check_combination(options: PredictOptions) -> None:
    is_printed = {"--format": options.output_format, "--show": options.show}
    is_written = {"--shard-rows": options.shard_rows, "--json": options.as_json or None}
    misplaced = is_written if options.out is None else is_printed
    if given := [name for name, value in misplaced.items() if value is not None]:
        problem = f"{given[0]} is not possible {'without' if options.out is None else 'with'} --out"
        remedy = f"remove {given[0]}" if options.out is not None else f"add --out, or remove {given[0]}"
        raise ConfigError(problem, remedy=remedy)


def _predict(options: PredictOptions, check: Callable[[], None]) -> ExitCode:
    model = resolve_model(options.root, options.model)
    class_names = model.artifact.class_names
    previews = None if options.show is None else _make_preview_writer(options.show)
    console, errors = make_console(), make_console(stderr=True)
    print_model(errors, model)
    writer = WRITERS[options.output_format or PredictionFormat.TABLE](class_names, console)
    with ProgressBar(errors, console) if errors.is_terminal else ProgressReporter(errors) as progress:
        from components.inference.preprocessing.input_reader import InputReader

        predictor = model.load_predictor()
        reader = InputReader.for_model(model.artifact, as_is=options.as_is, transpose=options.transpose)
        with progress.hidden():
            writer.write_header()
        for images in _batches(_read_images(options.paths, reader, progress), check):
            predictions = _predict_batch(images, predictor)
            with progress.hidden():
                writer.write(predictions)
                if _is_output_lost(console):
                    break
            if previews is not None:
                _write_previews(previews, images, predictions, class_names)
            progress.advance(len(images))
    return ExitCode.BAD_DATA if progress.skipped else ExitCode.SUCCEEDED


def _predict_batch(images: Sequence[InputImage], predictor: RawPredictor) -> list[Prediction]:
    import numpy as np

    probabilities = predictor(np.stack([image.network_input for image in images]))
    # The text of a float32 has the fewest digits that distinguish it; as a float it would have more.
    return [
        Prediction(image.path, image.row, int(row.argmax()), [float(str(probability)) for probability in row])
        for image, row in zip(images, probabilities, strict=True)
    ]


def _read_images(paths: Iterable[Path], reader: InputReader, progress: ProgressReporter) -> Iterator[InputImage]:
    from components.inference.preprocessing.input_files import count_images, find_inputs
    from components.inference.preprocessing.input_reader import InputImage
    from components.inference.preprocessing.read_images import read_images

    files = find_inputs(paths, progress.warning)
    progress.expect(partial(count_images, files))
    return (image for image, _ in read_images(files, reader, progress) if isinstance(image, InputImage))


def _batches(images: Iterable[InputImage], check: Callable[[], None]) -> Iterator[list[InputImage]]:
    batch: list[InputImage] = []
    started = time.monotonic()
    for image in images:
        check()
        batch.append(image)
        if len(batch) == MAX_BATCH_IMAGES or time.monotonic() - started > MAX_BATCH_SECONDS:
            yield batch
            batch, started = [], time.monotonic()
    if batch:
        yield batch


def _make_preview_writer(folder: Path) -> PreviewWriter:
    from components.inference.preprocessing.preview import PreviewWriter

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError.not_writable(f"--show {folder}", error) from error
    return PreviewWriter(folder)


def _write_previews(
    previews: PreviewWriter, images: Sequence[InputImage], predictions: Sequence[Prediction], class_names: Sequence[str]
) -> None:
    try:
        for image, prediction in zip(images, predictions, strict=True):
            previews.write(image, class_names[prediction.index], prediction.probability)
    except OSError as error:
        raise ConfigError.not_writable(f"--show {previews.folder}", error) from error


def _is_output_lost(console: Console) -> bool:
    console.file.flush()  # a reader such as `head` may have closed standard output, or its disk may be full
    return getattr(console.file, "failure", None) is not None

"""`predict` as a command asks for it: images in, answers out, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.base.errors import ConfigError, ExitCode, JobError, StorageError
from job.commands.prediction import ask_about, in_batches, load_predictor, look, make_input_reader
from job.reporters.predictions import make_answers
from job.reporters.progress import make_progress_reporter
from job.reporters.streams import ignore_broken_pipes
from job.reporters.tables import make_console, print_error
from job.signals import Interrupted, Signals
from job.store.resolve import resolve_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console

    from components.inference.preprocessing.input_reader import InputImage
    from components.inference.preprocessing.preview import PreviewWriter
    from job.options import PredictOptions
    from job.reporters.predictions import Answer


def predict(question: PredictOptions) -> int:
    """Answer what is asked, and return the exit code."""
    signals = Signals(remedy="the answers that were told are whole; run the same command again for all of them")
    with signals.installed():
        exit_code = _predict(question, signals)
    if signals.requested:  # a second Ctrl-C while Python winds up must not change how the process ends
        signals.ignore()
    return int(exit_code)


def _predict(question: PredictOptions, signals: Signals) -> ExitCode:
    ignore_broken_pipes()
    try:
        with signals.interruptible():
            return _answer(question, signals.check)
    except JobError as error:
        failure = error
    except Interrupted as broken:
        failure = broken.error
    print_error(make_console(stderr=True), failure)
    return failure.exit_code


def _answer(question: PredictOptions, check: Callable[[], None]) -> ExitCode:
    """Read, ask and tell, batch by batch.

    Args:
        question: what is asked.
        check: raises TerminationError if the command was asked to end.
    """
    chosen = resolve_model(question.root, question.model)
    album = None if question.show is None else make_preview_writer(question.show)
    console = make_console()
    answers = make_answers(question.output_format, chosen.stored.artifact.class_names, console)
    with make_progress_reporter(make_console(stderr=True), beside=console) as watcher:
        ask, eye = load_predictor(chosen), make_input_reader(chosen, question)
        with watcher.aside():
            answers.begin()
        for sights in in_batches(look(question.paths, eye, watcher), check):
            told = ask_about(sights, ask)
            with watcher.aside():
                answers.tell(told)
                if reader_has_gone(console):
                    break
            if album is not None:
                keep(album, sights, told, chosen.stored.artifact.class_names)
            watcher.advance(len(sights))
    return ExitCode.BAD_DATA if watcher.skipped else ExitCode.SUCCEEDED


def make_preview_writer(folder: Path) -> PreviewWriter:
    """Return what keeps pictures in a folder, which is made.

    Raises:
        ConfigError: if it cannot be made.
    """
    from components.inference.preprocessing.preview import PreviewWriter

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--show {folder} cannot be made: {error.strerror}",
            expected="a folder that may be written to",
            remedy="name another",
        ) from error
    return PreviewWriter(folder)


def keep(
    album: PreviewWriter, sights: Sequence[InputImage], told: Sequence[Answer], class_names: Sequence[str]
) -> None:
    """Keep a picture of each image beside what was seen of it.

    Raises:
        ConfigError: if the folder cannot be written to.
        StorageError: if the disk is full.
    """
    try:
        for sight, answer in zip(sights, told, strict=True):
            album.write(sight, class_names[answer.index], answer.probability)
    except OSError as error:
        raise ConfigError(
            f"--show {album.folder} cannot be written to: {error.strerror}",
            expected="a folder that may be written to",
            remedy="name another",
        ) from error


def reader_has_gone(console: Console) -> bool:
    """Return whether nobody reads standard output any more, as after `| head`.

    Raises:
        StorageError: if it could not be written for another reason.
    """
    console.file.flush()
    failure = getattr(console.file, "failure", None)
    if failure is not None and not isinstance(failure, BrokenPipeError):
        raise StorageError(
            f"standard output could not be written: {getattr(failure, 'strerror', None) or failure}",
            remedy="make room, or write elsewhere",
        )
    return failure is not None

"""Command `export`: write a trained model in deployment formats, without training it again."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from rich.markup import escape

from components import Context, Trainer
from components.artifacts import LOSSY_FORMATS, Export, ExportFormat, Stored, TransformedExamples
from components.base.errors import ConfigError
from components.base.termination import Termination
from components.runtime.disk import disk_space_guard
from job.reporters.model import print_model
from job.reporters.terminal import make_console, print_json, print_parts
from job.signals import Signals
from job.store.lineage import find_training_examples
from job.store.resolved_model import MODEL_OPTION, resolve_model

SCRATCH_PREFIX = ".export-"
FORMAT_OPTION = "--format"


def export(
    directory: Path,
    names: Sequence[ExportFormat] | None,
    *,
    model: str | None,
    root: Path,
    as_json: bool,
    signals: Signals,
) -> None:
    """Export a sealed model and print the files.

    Without names, it is exported in every float32 format whose converter is installed.
    """
    exact = [name for name in get_args(ExportFormat) if name not in LOSSY_FORMATS]
    requested: list[ExportFormat] = list(dict.fromkeys(names or exact))
    formats = [name for name in requested if names is not None or not Trainer.missing_packages([name])]
    signals.shield()
    with signals.interruptible():
        exports = export_model(directory, formats, root=root, model=model, termination=signals)
        if as_json:
            print_json([one.model_dump(mode="json") for one in exports])
        else:
            console = make_console()
            for one in exports:
                check = f"differs by at most {one.largest_difference:.2g} from the network in memory"
                check += f", same class for {one.same_class:.1%}" if one.same_class < 1 else ""
                parts = [escape(str(directory / one.file)), f"[dim]({check}, on {one.images} images)[/]"]
                print_parts(console, f"{one.format:<12} ", parts)
        for name in requested:
            if name not in formats:
                sys.stderr.write(f"{name} is skipped: its converter is not installed (`make extras`)\n")


def export_model(
    directory: Path, formats: Sequence[ExportFormat], *, root: Path, model: str | None, termination: Termination
) -> tuple[Export, ...]:
    """Export a sealed model, checked on real images as the Trainer does; a failure leaves the directory as it was.

    Raises:
        ConfigError: if the directory is not empty, there is no such model, it is not a Keras model, or the converter of
            a format is not installed.
        IntegrityError: if the model or the images that it was trained on are damaged or missing.
        JobError: if an exported file predicts differently from the network in memory.
    """
    Trainer.require_packages(formats, setting=FORMAT_OPTION)
    _check_empty(directory)
    chosen = resolve_model(root, model)
    print_model(make_console(stderr=True), chosen)
    if chosen.artifact.format != "keras":
        raise ConfigError(
            f"the model in {chosen.sealed.directory} is {chosen.artifact.format}, and has no network to export",
            expected="a keras model, as the Trainer writes it",
            remedy=f"name a run with such a model with {MODEL_OPTION}",
        )
    found = find_training_examples(chosen.sealed)
    found.check()
    transformed: Stored[TransformedExamples] = found.stored()
    with _scratch_folder(directory) as scratch:
        context = Context(output=scratch, termination=termination)
        return Trainer.export(chosen.stored, transformed, formats, context, setting=FORMAT_OPTION)


def _check_empty(directory: Path) -> None:
    try:
        if directory.is_dir():
            existing = [path.name for path in directory.iterdir() if not path.name.startswith(SCRATCH_PREFIX)]
        else:
            existing = [directory.name] if directory.exists() or directory.is_symlink() else []
    except OSError as error:
        raise ConfigError.not_writable(directory, error) from error
    if existing:
        raise ConfigError(
            f"{directory} is not empty" if directory.is_dir() else f"{directory} is not a folder",
            expected="a folder that is empty or does not exist yet",
            remedy="name another folder, or empty this one",
        )


@contextmanager
def _scratch_folder(directory: Path) -> Iterator[Path]:
    """Yield a folder inside the directory, which may be a mount point; a successful block's files move up from it."""
    created = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for remains in directory.glob(f"{SCRATCH_PREFIX}*"):  # of killed processes
            shutil.rmtree(remains)
        with tempfile.TemporaryDirectory(dir=directory, prefix=SCRATCH_PREFIX) as name:
            scratch = Path(name)
            with disk_space_guard(scratch, remedy="free some space there, or name a folder on another disk"):
                yield scratch
            for path in scratch.iterdir():
                path.rename(directory / path.name)
        created = False
    except OSError as error:
        raise ConfigError.not_writable(directory, error) from error
    finally:
        if created and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()

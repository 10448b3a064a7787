"""`export`: a trained model in further forms, without training it again."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.component import Context
from components.base.errors import ConfigError, StorageError
from components.runtime.disk import disk_space_guard
from job.store.integrity import verify
from job.store.resolve import MODEL_OPTION, find_training_examples, resolve_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.artifacts import Export, ExportFormat, Stored, TransformedExamples
    from components.base.termination import Termination
    from job.store.resolve import ResolvedModel

SCRATCH = ".making-"
FORMAT = "--format"


def export_model(
    directory: Path, formats: Sequence[ExportFormat], *, root: Path, asked: str | None, termination: Termination
) -> tuple[Export, ...]:
    """Write a sealed model in some forms, each tried on real images as the Trainer tries it.

    What is in the directory afterwards is right, or it is as it was before.

    Args:
        directory: empty, or not there yet.
        formats: which forms; the packages that they need must be installed (`available`).
        root: whose runs are looked through.
        asked: which model, as `choose_model` takes it.
        termination: asked between two forms whether to end.

    Raises:
        ConfigError: if there is something in the directory, or no such model, or one that is no keras model, or the
            converter to a form is not installed.
        IntegrityError: if the model, or what it was trained on, is damaged or gone.
        JobError: if a form answers otherwise than the network in memory.
        StorageError: if there is no space.
    """
    if "onnx" in formats:
        from components.trainer.export.onnx_file import require

        require(FORMAT)
    check_free(directory)
    chosen = resolve_model(root, asked)
    with _filled(directory) as scratch:
        return _export(chosen, formats, Context(output=scratch, termination=termination))


def available(formats: Sequence[ExportFormat]) -> list[ExportFormat]:
    """Return the forms whose converters are installed."""
    from components.trainer.export.onnx_file import missing

    return [name for name in formats if name != "onnx" or not missing()]


def check_free(directory: Path) -> None:
    """See that there is nothing where the forms are to be written.

    Raises:
        ConfigError: if there is something.
    """
    try:
        if directory.is_dir():
            there = [path.name for path in directory.iterdir() if not path.name.startswith(SCRATCH)]
        else:
            there = [directory.name] if directory.exists() or directory.is_symlink() else []
    except OSError as error:
        raise _refused(directory, error) from error
    if there:
        raise ConfigError(
            f"there is something in {directory} already" if directory.is_dir() else f"{directory} is not a folder",
            expected="a folder that is empty, or not there yet",
            remedy="name another, or clear it away",
        )


def _export(chosen: ResolvedModel, formats: Sequence[ExportFormat], context: Context) -> tuple[Export, ...]:
    model = chosen.stored.artifact
    if model.format != "keras":
        raise ConfigError(
            f"the model in {chosen.stored.directory} is {model.format}, and has no network to export",
            expected="a keras model, as the Trainer makes it",
            remedy=f"name the run of one with {MODEL_OPTION}",
        )
    found = find_training_examples(chosen.sealed)
    verify(found.directory, found.manifest)
    examples: Stored[TransformedExamples] = found.stored()

    from components.inference.predictor import load_network
    from components.io.splits import read_scaled
    from components.trainer.export.export import CHECK_IMAGES, export, raw_images
    from components.trainer.export.serving_model import ServingModel

    graph = examples.artifact.graph
    images = raw_images(graph, read_scaled(examples, examples.artifact.splits.validation).images[:CHECK_IMAGES])
    deployable = ServingModel.of(load_network(chosen.stored), graph, model.test_time_shift)
    return export(deployable, formats, images, context, asked_by=FORMAT)


@contextmanager
def _filled(directory: Path) -> Iterator[Path]:
    """Give a folder to write to, whose content comes into the directory when the block has ended well.

    It is within the directory, which may be a mount point. What a killed one left there goes.
    """
    new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob(f"{SCRATCH}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=directory, prefix=SCRATCH) as made:
            scratch = Path(made)
            try:
                with disk_space_guard(scratch):
                    yield scratch
            except StorageError as error:
                remedy = "make room there, or name a folder on another disk"
                raise StorageError(error.headline, expected=error.expected, remedy=remedy) from error
            for path in scratch.iterdir():
                path.rename(directory / path.name)
        new = False
    except OSError as error:
        raise _refused(directory, error) from error
    finally:
        if new and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _refused(directory: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{directory} cannot be written to: {error.strerror or error}",
        expected="a folder that may be written to",
        remedy="name another, or give permission",
    )

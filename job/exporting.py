"""`export`: a trained model in further forms, without training it again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from components.component import Context
from components.errors import ConfigError
from components.runtime.disk import room_for
from job.choosing import OPTION, choose_model, find_examples
from job.integrity import verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.artifacts import Export, ExportFormat, Stored, TransformedExamples


def export_model(
    directory: Path, formats: Iterable[ExportFormat], *, root: Path, asked: str | None = None
) -> tuple[Export, ...]:
    """Write a sealed model in some forms, each tried on real images as the Trainer tries it.

    The directory is there when all is written and right, and not before.

    Args:
        directory: to be made.
        formats: which forms.
        root: whose runs are looked through.
        asked: which model, as `choose_model` takes it.

    Raises:
        ConfigError: if there is something in the directory, or no such model, or one that is no keras model, or the
            converter to a form is not installed.
        IntegrityError: if the model, or what it was trained on, is damaged or gone.
        JobError: if a form answers otherwise than the network in memory.
        StorageError: if there is no space.
    """
    formats = tuple(dict.fromkeys(formats))
    if "onnx" in formats:
        from components.exporting.onnx_file import require

        require("--format")
    check_free(directory)
    chosen = choose_model(root, asked)
    model = chosen.stored.artifact
    if model.format != "keras":
        raise ConfigError(
            f"{chosen.stored.directory} is a {model.format} model",
            expected="a keras model: others are not exported",
            remedy=f"name one with {OPTION}",
        )
    found = find_examples(chosen.sealed)
    verify(found.directory, found.manifest)
    examples: Stored[TransformedExamples] = found.stored()

    from components.data.formats import read_scaled
    from components.data.transform_graph import invert_numpy
    from components.exporting.deployable import Deployable
    from components.exporting.exporting import TRIED, export
    from components.models.predictor import load_network

    deployable = Deployable.of(load_network(chosen.stored), examples.artifact.graph, model.test_time_shift)
    images = read_scaled(examples, examples.artifact.splits.validation).images[:TRIED]
    with tempfile.TemporaryDirectory(dir=directory.absolute().parent, prefix=f".{directory.name}-") as scratch:
        made = Path(scratch, "made")
        made.mkdir()
        with room_for(made):
            exports = export(deployable, formats, invert_numpy(examples.artifact.graph, images), Context(output=made))
        os.rename(made, directory)  # noqa: PTH104  (also onto an empty directory)
    return exports


def check_free(directory: Path) -> None:
    """See that a directory can be made, and make what is above it.

    Raises:
        ConfigError: if there is something in it, or it cannot be written to.
    """
    free = directory.is_dir() and not any(directory.iterdir())
    if not free and os.path.lexists(directory):
        raise ConfigError(
            f"there is something in {directory} already" if directory.is_dir() else f"{directory} is not a folder",
            expected="a folder that is empty, or not there yet",
            remedy="name another, or clear it away",
        )
    above = directory.absolute().parent
    try:
        above.mkdir(parents=True, exist_ok=True)
        failure = "" if os.access(above, os.W_OK) else "Permission denied"
    except OSError as error:
        failure = error.strerror or "it cannot be written to"
    if failure:
        raise ConfigError(
            f"{directory} cannot be made: {failure}",
            expected="a folder that may be written to",
            remedy="name another",
        )

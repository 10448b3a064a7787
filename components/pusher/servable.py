"""Servable: the directory of one version, as TensorFlow Serving loads it."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from components.artifacts import Evaluation, Model, Servable
from components.base.errors import DataError
from components.base.hashing import file_sha256, value_sha256
from components.pusher.metadata import METADATA_FILES

SERVABLE_DIRECTORY = "servable"
"""Name of the servable inside an artifact."""
SAVED_MODEL_FILE = "saved_model.pb"
"""TensorFlow takes a directory with this file for a SavedModel."""


def describe_servable(directory: Path, model: Model, evaluation: Evaluation) -> Servable:
    """Return the statement of the files in a directory, which were exported from a model."""
    check_same_model(model, evaluation)
    return Servable(
        content_sha256=servable_digest(directory),
        weights_sha256=model.weights_sha256,
        test_sha256=evaluation.test_sha256,
        verdict=evaluation.blessing.verdict,
        rubber_stamped=evaluation.blessing.rubber_stamped,
        accuracy=evaluation.metrics.accuracy,
        accuracy_interval=evaluation.metrics.accuracy_interval,
        test_images=evaluation.metrics.count,
        image_shape=model.image_shape,
        class_names=model.class_names,
    )


def check_same_model(model: Model, evaluation: Evaluation) -> None:
    """Raise DataError if an evaluation is of another model."""
    if evaluation.weights_sha256 != model.weights_sha256:
        raise DataError(
            f"the evaluation is of another model, with the weights {evaluation.weights_sha256[:12]}",
            expected=f"an evaluation of the pushed model, with the weights {model.weights_sha256[:12]}",
            remedy="correct the evaluator: it must return the `weights_sha256` of its input model",
        )


def servable_digest(directory: Path) -> str:
    """Return the SHA-256 over the names and contents of the served files, without the metadata files."""
    served = (name for name in list_files(directory) if name not in METADATA_FILES)
    return value_sha256({name: file_sha256(directory / name) for name in served})


def servable_size(directory: Path) -> int:
    """Return the size of all files below a directory, in bytes."""
    return sum((directory / name).stat().st_size for name in list_files(directory))


def list_files(directory: Path) -> list[str]:
    """Return the sorted paths of all files below a directory, relative to it with `/`; links are followed."""
    paths = (Path(folder, name) for folder, _, names in _walk(directory) for name in names)
    return sorted(path.relative_to(directory).as_posix() for path in paths)


def copy_files(source: Path, target: Path, check: Callable[[], None] = lambda: None) -> None:
    """Copy a directory to a new one, with default modes and times; `check` is called before each file."""
    target.mkdir()
    for folder, folders, names in _walk(source):
        here = target / Path(folder).relative_to(source)
        for name in folders:
            (here / name).mkdir()
        for name in names:
            check()
            shutil.copyfile(Path(folder, name), here / name)


def copy_read_permissions(directory: Path, like: Path) -> None:
    """Make a directory and its content readable for everyone who may read `like` (with any umask)."""
    allowed = stat.S_IMODE(like.stat().st_mode)
    for folder, _, names in _walk(directory):
        for path, bits in ((Path(folder), 0o055), *((Path(folder, name), 0o044) for name in names)):
            mode = stat.S_IMODE(path.stat().st_mode)
            if allowed & bits & ~mode:
                path.chmod(mode | allowed & bits)


def _walk(directory: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    return os.walk(directory, onerror=_raise, followlinks=True)


def _raise(error: OSError) -> None:
    # By default, os.walk skips folders that it cannot read: the digest would miss their files.
    raise error

"""The LiteRT model, formerly TensorFlow Lite: one file for phones, browsers and small boards."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.runtime.tensorflow import quiet_stderr
from components.trainer.export.serving_model import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.trainer.export.exporter import Answers
    from components.trainer.export.serving_model import ServingModel

TITLE = "LiteRT model"


def write(deployable: ServingModel, path: Path, images: NDArray[np.uint8]) -> None:  # noqa: ARG001
    """Write a LiteRT file in float32, whose signature `serving_default` is that of the SavedModel."""
    import tensorflow as tf

    module = tf.Module()  # only of what a module has is a signature made
    module.weights = [variable.value for variable in deployable.network.weights]
    module.serve = deployable.serve
    function = deployable.serve.get_concrete_function()
    with _scratch_beside(path), quiet_stderr():
        path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert())


def read(path: Path) -> Callable[[NDArray[np.uint8]], Answers]:
    """Return what the interpreter that TensorFlow brings makes of the file, with one thread.

    It goes without XNNPACK, which would announce itself on standard error.
    """
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow 2.21 still has the interpreter that it says will go; the package for which it is to go is 59 MB.
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )

    def answer(images: NDArray[np.uint8]) -> Answers:
        told: Answers = interpreter.get_signature_runner()(**{INPUT: images})
        return told

    return answer


@contextmanager
def _scratch_beside(path: Path) -> Iterator[None]:
    """Have temporary files written beside a path while the block runs.

    The converter writes a SavedModel of its own first. The disk of the usual folder may be too small for it, and is not
    the one that is looked at when there is no space.
    """
    usual = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".scratch-") as scratch:
        tempfile.tempdir = scratch
        try:
            yield
        finally:
            tempfile.tempdir = usual

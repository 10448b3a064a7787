"""LiteRT files, loaded with the interpreter in TensorFlow."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Signature = Callable[..., dict[str, NDArray[Any]]]


def open_litert(path: Path) -> Signature:
    """Return a function that takes the inputs of a LiteRT file by name, and returns its outputs by name.

    It computes with one thread, and without XNNPACK, which prints to standard error.
    """
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow 2.21 deprecates this interpreter but contains it; the package that replaces it is 59 MB.
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    signature: Signature = interpreter.get_signature_runner()
    return signature

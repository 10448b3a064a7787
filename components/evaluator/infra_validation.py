"""Infra validation: compares the SavedModel, served by TensorFlow's C library, with the model in memory."""

import errno
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts import InfraValidation, Model, Stored, TransformedExamples
from components.base.component import Context
from components.base.errors import ResourceError
from components.evaluator import serving_process
from components.evaluator.c_library import c_library, no_c_library
from components.inference.split_images import read_raw
from components.runtime.child_process import Child, start_child
from components.runtime.resources import cpu_limit
from components.runtime.tensorflow import temporary_folder, without_wildcards

TOLERANCE = 1e-5
"""Allowed difference of probabilities: batches of other sizes are summed in another order."""
TIMEOUT_SECONDS = 600.0
"""Many times as long as a slow disk needs."""
MACHINE_FAILURES = (
    *("MemoryError", "OUT_OF_MEMORY", "failed to map segment"),  # of Python, CUDA, and dlopen
    *map(os.strerror, (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.EAGAIN)),
)
"""Text of errors that are not due to the model."""


class ServingProcess:
    """A separate process that serves a SavedModel, created by `serve_model`."""

    def __init__(self, child: Child, directory: Path, results: Path, images: int, context: Context) -> None:
        self._child = child
        self._directory = directory
        self._results = results
        self._images = images
        self._context = context

    def validate(self, probabilities: NDArray[np.float32]) -> InfraValidation:
        """Send the images to the process, and compare its predictions with those of the model in memory.

        The speed goes to the run's observations, not to the artifact, because it differs between runs: `latency_ms` is
        the median of single images, and `images_per_second` of all images in one request.

        `probabilities` are those of the model in memory for these test images, and possibly more: float32 [count,
        classes].

        Raises:
            ResourceError: if the process was killed, ran out of memory or time. This says nothing about the model.
            ConfigError: if the C library of the installed TensorFlow is unusable, which says nothing about the model
                either.
        """
        context, failure, difference = self._context, "", None
        expected = probabilities[: self._images]
        try:
            child = self._child.finish(timeout_seconds=TIMEOUT_SECONDS, check=context.termination.check)
            child.check_returncode()
            with np.load(self._results, allow_pickle=False) as served:
                difference = float(np.abs(served["probabilities"] - expected).max())
                context.observe("latency_ms", round(float(np.median(served["latencies"])) * 1000, 3))
                context.observe("images_per_second", round(len(expected) / float(served["all_seconds"]), 1))
        except subprocess.CalledProcessError as error:
            last_line = next(reversed(error.stderr.strip().splitlines()), f"exit code {error.returncode}")
            if error.returncode < 0 or any(text in last_line for text in MACHINE_FAILURES):
                raise _not_validated(f"ended with {error.returncode}: {last_line}") from error
            if error.returncode == serving_process.UNUSABLE_LIBRARY:
                raise no_c_library(f"the installed one is unusable: {last_line}", expected="that works") from error
            context.progress.warning(f"the SavedModel cannot be used in a separate process: {last_line}")
            # The rest of the line may name a folder of this machine, which does not belong into an artifact.
            name = re.match(r"(?:\w+\.)*(\w+Error)\b", last_line)
            failure = f"it ended with {name[1] if name else 'an error'}"
        except subprocess.TimeoutExpired as error:
            raise _not_validated(f"took more than {TIMEOUT_SECONDS:.0f} s") from error
        except (KeyError, ValueError):
            failure = "its predictions have another shape than the model's"
        if difference is not None and not np.isfinite(difference):
            failure, difference = "its predictions are not finite", None
        return InfraValidation(
            images=len(expected),
            failure=failure,
            largest_difference=difference,
            tolerance=TOLERANCE,
            size=sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file()),
        )


@contextmanager
def serve_model(
    model: Stored[Model], transformed: Stored[TransformedExamples], images: int, context: Context
) -> Iterator[ServingProcess | None]:
    """Load the SavedModel in a separate process, for the first `images` test images, while the block runs.

    Loading takes a second, on one processor: the block can predict meanwhile. Yields None if there is no SavedModel, or
    if `images` is 0.

    Raises:
        ConfigError: if the installed TensorFlow has no C library, or there is no folder for temporary files.
    """
    if model.artifact.saved_model is None or not images:
        yield None
        return
    directory = model.directory / model.artifact.saved_model
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as scratch, without_wildcards(directory) as saved_model:
        raw, results = Path(scratch, "images.npy"), Path(scratch, "results.npz")
        sent = read_raw(transformed, transformed.artifact.splits.test, slice(images))
        np.save(raw, sent, allow_pickle=False)
        # -P: the modules in the script's folder must not hide libraries.
        arguments = (c_library(), saved_model, raw, results, cpu_limit(), os.getpid())
        with start_child([sys.executable, "-P", serving_process.__file__, *map(str, arguments)]) as child:
            yield ServingProcess(child, directory, results, len(sent), context)


def _not_validated(problem: str) -> ResourceError:
    return ResourceError(
        f"the SavedModel cannot be validated: the process that serves it {problem}",
        expected="memory, temporary files and time for a second process",
        remedy="give the job more memory, disk space or time, or set evaluator.infra_validation.images to 0",
    )

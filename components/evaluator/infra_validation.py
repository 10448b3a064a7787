"""Infra validation: what is served answers as the model in memory does, in a process that has only TensorFlow."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import InfraValidation
from components.base.errors import ResourceError
from components.evaluator import serving_process
from components.inference.transform_graph import invert_numpy
from components.runtime.resources import cpu_limit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.artifacts import Model, Stored, TransformedExamples
    from components.base.component import Context

TOLERANCE = 1e-5
"""Probabilities may differ by so much: batches of other sizes are added up in another order."""
TIMEOUT = 600.0
"""Seconds: many times what loading takes on a slow disk."""


def validate_infra(
    model: Stored[Model],
    transformed: Stored[TransformedExamples],
    images: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    context: Context,
) -> InfraValidation:
    """Load the SavedModel in a process of its own, give it raw images, and compare its answers.

    How long it takes to answer is observed, not stated.

    Args:
        model: with a SavedModel.
        transformed: whose graph made the scaled images of raw ones.
        images: some scaled ones, float32 [count, height, width, channels].
        probabilities: what the model in memory said of them, float32 [count, classes].
        context: gets the observations `latency_ms` (the median of single images) and `images_per_second` (of all
            in one request).

    Raises:
        ResourceError: if the process was killed, ran out of memory, or did not answer in time: that says nothing of
            the model.
    """
    assert model.artifact.saved_model is not None  # noqa: S101  (whoever calls this has looked)
    directory = model.directory / model.artifact.saved_model
    failure, difference = "", None
    with tempfile.TemporaryDirectory() as scratch:
        raw, answers = Path(scratch, "images.npy"), Path(scratch, "answers.npz")
        np.save(raw, invert_numpy(transformed.artifact.graph, images), allow_pickle=False)
        words = [directory, raw, answers, cpu_limit()]
        # -P: not the folder of the script, whose modules are no libraries.
        command = [sys.executable, "-P", serving_process.__file__, *map(str, words)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)  # noqa: S603
            with np.load(answers, allow_pickle=False) as answered:
                difference = float(np.abs(answered["probabilities"] - probabilities).max())
                context.observe("latency_ms", round(float(np.median(answered["latencies"])) * 1000, 3))
                context.observe("images_per_second", round(len(images) / float(answered["all_seconds"]), 1))
        except subprocess.CalledProcessError as error:
            last = next(reversed(error.stderr.strip().splitlines()), f"exit code {error.returncode}")
            if error.returncode < 0 or "ResourceExhausted" in last or "MemoryError" in last:
                raise _could_not_be_tried(f"ended with {error.returncode}: {last}") from error
            context.progress.warning(f"the SavedModel could not be used in a process of its own: {last}")
            # The rest of the line may name a folder of this machine, which is no part of what was found.
            kind = re.match(r"(?:\w+\.)*(\w+Error)\b", last)
            failure = f"it ended with {kind[1] if kind else 'an error'}"
        except subprocess.TimeoutExpired as error:
            raise _could_not_be_tried(f"did not answer within {TIMEOUT:.0f} s") from error
        except (KeyError, ValueError):
            failure = "its answers have another shape than the model's"
    if difference is not None and not np.isfinite(difference):
        failure, difference = "its answers are not finite", None
    return InfraValidation(
        images=len(images),
        failure=failure,
        largest_difference=difference,
        tolerance=TOLERANCE,
        size=sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()),
    )


def _could_not_be_tried(why: str) -> ResourceError:
    return ResourceError(
        f"the SavedModel could not be tried: the process that was to serve it {why}",
        expected="memory and time for a second process with TensorFlow",
        remedy="give the job more memory, or set evaluator.infra_validation.images to 0",
    )

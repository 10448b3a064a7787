"""Trial export of an untrained network: one that cannot be exported fails before its first epoch."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from components.artifacts import ExportFormat
from components.base.component import Context
from components.base.errors import ConfigError, JobError, one_line
from components.trainer.export.export import EXPORTERS, REQUIRED_FORMATS, export_model
from components.trainer.export.serving_model import ExampleImages, ServingModel

MAX_SUM_ERROR = 1e-3


def try_exports(model: ServingModel, formats: Iterable[ExportFormat], images: ExampleImages, context: Context) -> None:
    """Export a network into a temporary folder, with the same check as after training.

    Raises:
        ConfigError: if its outputs are not probabilities, or a format cannot contain it.
    """
    sums = model.predict(images.check).sum(axis=1)
    if not (np.abs(sums - 1) <= MAX_SUM_ERROR).all():
        raise ConfigError(
            f"the outputs of the network are not probabilities: those of one image have the sum {sums[0]:.3g}",
            expected="one probability per class, with the sum 1",
            remedy='end the network with Dense(classes, activation="softmax")',
        )
    with tempfile.TemporaryDirectory(dir=context.output, prefix=".trial-") as scratch:
        for name in formats:
            try:
                export_model(model, [name], images, replace(context, output=Path(scratch)))
            except Exception as error:
                if isinstance(error, MemoryError | OSError) or (isinstance(error, JobError) and error.exit_code != 1):
                    raise
                required = name in REQUIRED_FORMATS
                raise ConfigError(
                    f"the {EXPORTERS[name].TITLE} of the network cannot be written: {one_line(error)}",
                    expected="layers that can be exported",
                    remedy="replace the layer" + ("" if required else f", or remove `{name}` from trainer.exports"),
                ) from error

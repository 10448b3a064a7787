"""BulkInferrer: predicts all images of files and folders, after TFX's component of this name."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from components.artifacts import GraphOperation, Model, Predictions, Stored
from components.artifacts.predictions import CONTINUED_FILES
from components.base.component import Component, ComponentConfig, Context
from components.bulk_inferrer.inputs import InputFiles, utf8
from components.inference.preprocessing.observer import InputObserver, NoObserver

DEFAULT_SHARD_ROWS = 10_000
"""A shard of MNIST images takes one or two seconds, one of large photos three minutes."""


class BulkInferrerConfig(ComponentConfig):
    """The images, how they are read, and how the predictions are written."""

    paths: Annotated[tuple[Path, ...], Field(min_length=1)]
    """Pictures, IDX files of images, CSV files of pixels, and folders of pictures and IDX files."""
    as_is: Annotated[bool, Field(strict=True)] = False
    """Only resize images and convert them to the model's channels."""
    transpose: Annotated[bool, Field(strict=True)] = False
    """Transpose the images of IDX and CSV files."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """Divide the logits by it (see `Calibration.temperature`)."""
    graph: tuple[GraphOperation, ...] = ()
    """The transform of raw images; empty for a model with a SavedModel, which includes it."""
    shard_rows: Annotated[int, Field(strict=True, ge=1)] = DEFAULT_SHARD_ROWS
    """Maximum rows of a file, and of images that are predicted again after an interruption."""


class BulkInferrer(Component[BulkInferrerConfig]):
    """Predicts the images of files and folders with a model, and writes the predictions in shards.

    Args:
        observer: receives the progress, and each image that cannot be read.

    >>> str(BulkInferrer.signature())
    '(model: Stored[Model]) -> Predictions'
    """

    Config = BulkInferrerConfig
    libraries = ("tensorflow", "numpy", "pyarrow", "pillow", "scipy")

    def __init__(self, config: BulkInferrerConfig, *, observer: InputObserver | None = None) -> None:
        super().__init__(config)
        self._observer: InputObserver = observer or NoObserver()
        self._inputs = InputFiles(config.paths)

    def identity(self) -> dict[str, Any]:
        config = self.config.content(exclude={"paths"})
        return {"paths": [*map(utf8, self.config.paths)], "input": self._inputs.identity(), **config}

    def run(self, context: Context, /, *, model: Stored[Model]) -> Predictions:
        """Write `predictions/`, and `skipped.parquet` if an image cannot be read.

        Raises:
            DataError: if no image can be read, or if a file has changed since `identity` hashed it.
        """
        with context.timed("imports"):
            from components.bulk_inferrer.predict import ShardPredictor
            from components.bulk_inferrer.shards import Shards
            from components.inference.predictor import load_raw_predictor
            from components.inference.preprocessing.input_reader import InputReader
            from components.io.raw_images import scratch_folder

        artifact, config = model.artifact, self.config
        with scratch_folder(context.output) as scratch:
            shards = Shards(
                context.checkpoints or scratch,
                context.fingerprint,
                artifact.class_names,
                on_finish=context.checkpoint_saved,
            )
            with context.timed("resuming"):
                shards.resume()
            if shards.finished:
                context.observe(CONTINUED_FILES, sum(record.rows > 0 for record in shards.finished))
            with context.timed("loading"):
                predict = load_raw_predictor(model, config.graph, temperature=config.temperature)
            predictor = ShardPredictor(
                shards=shards,
                inputs=self._inputs,
                reader=InputReader.for_model(artifact, as_is=config.as_is, transpose=config.transpose),
                predict=predict,
                observer=self._observer,
                check=context.termination.check,
                max_rows=config.shard_rows,
            )
            with context.timed("predicting"):
                predictor.run()
            with context.timed("writing"):
                return shards.write(context.output, artifact)

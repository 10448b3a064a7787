"""The trained model of a run in Python: predicts raw images in memory, as the command `predict` does."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.artifacts import raw_shape
from components.base.errors import DataError
from job.store.resolved_model import ResolvedModel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from components.inference.predictor import RawPredictor


class TrainedModel:
    """A trained model. It applies the transform of its training, and the temperature of its evaluation."""

    def __init__(self, resolved: ResolvedModel) -> None:
        self._resolved = resolved
        model = resolved.artifact
        self.class_names: tuple[str, ...] = model.class_names
        self.image_shape: tuple[int, int, int] = model.image_shape
        """Height, width and channels."""

    def predict(self, images: ArrayLike) -> pd.DataFrame:
        """Return the prediction, its confidence, and the probabilities by class, one row per image.

        Args:
            images: raw images, uint8 [count, height, width], or one image; in color, [count, height, width, 3].

        Raises:
            DataError: if the images do not have the type and the shape of those of the training.
        """
        import pandas as pd

        probabilities = self.predict_probabilities(images)
        return pd.DataFrame(
            {
                "prediction": [self.class_names[label] for label in probabilities.argmax(axis=1)],
                "confidence": probabilities.max(axis=1),
                "probabilities": list(probabilities),
            }
        )

    def read(self, *paths: Path | str, as_is: bool = False) -> NDArray[np.uint8]:
        """Return the images of pictures, IDX and CSV files for `predict`, preprocessed as by the command `predict`.

        Args:
            paths: of files, and of folders of files.
            as_is: only convert and resize the images, for a model trained on `image_folder`.

        Raises:
            DataError: if a file or an image cannot be read.
        """
        import numpy as np

        from components.inference.preprocessing.input_files import find_files
        from components.inference.preprocessing.input_reader import InputReader
        from components.io.picture_folder import SkippedFiles

        reader = InputReader.for_model(self._resolved.artifact, as_is=as_is)
        images = []
        for path in paths:
            for file in find_files(Path(path), SkippedFiles()):
                for image in [file] if isinstance(file, DataError) else reader.read(file):
                    if isinstance(image, DataError):
                        raise image
                    images.append(image.network_input)
        return np.stack(images)

    def predict_probabilities(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of each class, float32 [count, classes]; arguments and errors as for `predict`."""
        return self._predictor(self._batch(images))

    @cached_property
    def _predictor(self) -> RawPredictor:
        return self._resolved.load_predictor()

    def _batch(self, images: ArrayLike) -> NDArray[np.uint8]:
        import numpy as np

        shape = raw_shape(self.image_shape)
        batch: NDArray[Any] = np.asarray(images)
        if batch.ndim == len(shape):
            batch = batch[np.newaxis]
        if batch.dtype != np.uint8 or batch.shape[1:] != shape or not len(batch):
            sizes = ", ".join(map(str, ("count", *shape)))
            raise DataError(
                f"the images are {batch.dtype} {list(batch.shape)}",
                expected=f"uint8 [{sizes}], with values from 0 to 255",
                remedy="convert and resize them",
            )
        return batch

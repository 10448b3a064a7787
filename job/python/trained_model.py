"""The trained model of a run in Python: predicts raw images in memory, as the command `predict` does."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from components.base.errors import DataError
from job.store.resolve import ResolvedModel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from components.inference.predictor import RawPredictor


class TrainedModel:
    """A trained model. It applies the transform of its training, and the temperature of its evaluation."""

    def __init__(self, resolved: ResolvedModel) -> None:
        self._resolved = resolved
        model = resolved.stored.artifact
        self.class_names: tuple[str, ...] = model.class_names
        self.image_shape: tuple[int, int, int] = model.image_shape
        """Height, width and channels."""

    def predict(self, images: ArrayLike) -> pd.DataFrame:
        """Return the prediction, its confidence, and the probabilities by class, one row per image.

        Args:
            images: raw images, uint8 [count, height, width], or one image; in colour, [count, height, width, 3].

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

    def predict_probabilities(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of each class, float32 [count, classes]; arguments and errors as for `predict`."""
        return self._predictor(self._batch(images))

    @cached_property
    def _predictor(self) -> RawPredictor:
        return self._resolved.load_predictor()

    def _batch(self, images: ArrayLike) -> NDArray[np.uint8]:
        import numpy as np

        height, width, channels = self.image_shape
        shape = (height, width) if channels == 1 else self.image_shape
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

"""Custom metrics, and custom properties of images that define slices."""

import inspect
from typing import Annotated, Any, Literal

from pydantic import Field

from components.artifacts import Definition
from components.base.errors import ConfigError
from components.base.extension import Extension


class NamedFunction(Extension):
    """A custom metric or property, with its name in thresholds and results."""

    name: str | None = None
    """Name in thresholds and results; by default that of the function."""

    @property
    def key(self) -> str:
        """The name in thresholds and results."""
        return self.name or self.function_name

    def __call__(self, **arrays: Any) -> Any:
        """Call the function with read-only views of the arrays, and its options, and return its result as an array."""
        import numpy as np

        views = {name: array.view() for name, array in arrays.items()}
        for view in views.values():
            view.flags.writeable = False
        returned = super().__call__(**views)
        try:
            return np.asarray(returned)
        except ValueError as error:  # such as lists of unequal length
            raise self.wrong_result(returned) from error

    def wrong_result(self, returned: Any) -> ConfigError:
        """Return the error for a result of another type or shape."""
        if getattr(returned, "shape", ()):
            return self.error(f"returned an array of {returned.dtype} with the shape {returned.shape}")
        return self.error(f"returned {returned}")

    def definition(self, kind: Literal["metric", "slice"]) -> Definition:
        """Return what defines the results of the function."""
        own, written = type(self).model_fields, self.content()
        return Definition(
            name=self.key,
            kind=kind,
            function=self.use,
            options={key: value for key, value in written.items() if key not in own},
            description=(inspect.getdoc(self.target) or "").partition("\n")[0],
        )


class MetricFunction(NamedFunction):
    """A custom metric: a function that returns a number, or one number per image, whose mean is the metric.

    It receives `labels`, int64 [count], and `probabilities`, float32 [count, classes]. The interval of numbers per
    image takes less time, because the function is called once and not for each resample.
    """

    arguments = ("labels", "probabilities")
    returns = "a number, or an array of one number per image"

    resamples: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 1000
    """Resamples of the bootstrap interval; 0 for no interval. Of more than 30,000 images, there are fewer."""


class SliceFunction(NamedFunction):
    """Custom slices: a function that returns the slice of each image, or a number per image, which gives fifths.

    It receives `images`, float32 [count, height, width, channels] from 0 to 1, and `labels`, int64 [count], of up to
    1,000 images at a time. An image is in no slice if its value is an empty text or not a number.
    """

    arguments = ("images", "labels")
    returns = "an array of one text or number per image"

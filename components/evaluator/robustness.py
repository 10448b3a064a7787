"""Robustness: the accuracy on corrupted images."""

from collections.abc import Callable

import numpy as np

from components.artifacts import CorruptionCurve, Robustness
from components.artifacts.evaluation import SEVERITIES
from components.evaluator.config import RobustnessConfig
from components.evaluator.corruptions import CORRUPTIONS, corrupt
from components.inference.predictor import Predictor
from components.inference.split_images import SplitImages

MAX_FRACTION = 1 / 4
"""Most corrupted images, as a fraction of the images that the evaluation predicts anyway."""
FREE_PIXELS = 2**20
"""Pixels of corrupted images that are allowed for splits of any size: less work than loading the model."""


def measure_robustness(
    predict: Predictor,
    pictures: SplitImages,
    config: RobustnessConfig,
    *,
    images_predicted: int,
    check: Callable[[], None],
) -> Robustness | None:
    """Return the accuracy on corrupted images, or None if the configuration disables the measurement.

    The cost is limited by the number of images, not by time: the result does not depend on the speed of the machine.
    `predict` takes pictures; only a few of `pictures` are read. `images_predicted` is the number that the evaluation
    predicts anyway. `check` is called between corruptions, and ends the measurement if it raises an exception.
    """
    count = corrupted_images(config, count=len(pictures), pixels=pictures[0].size, images_predicted=images_predicted)
    if not count:
        return None
    rows = np.random.default_rng(config.seed).permutation(len(pictures))[:count]
    clean, truth = pictures[rows], pictures.labels[rows]
    check()
    clean_accuracy = float((predict(clean).argmax(axis=1) == truth).mean())
    curves = []
    for name in config.corruptions:
        check()
        corrupted = [corrupt(name, clean, severity=severity, seed=config.seed) for severity in SEVERITIES]
        predicted = predict(np.concatenate(corrupted)).argmax(axis=1).reshape(len(SEVERITIES), count)
        curves.append(
            CorruptionCurve(
                corruption=name,
                unit=CORRUPTIONS[name].unit,
                amounts=CORRUPTIONS[name].amounts_for(*clean.shape[1:3]),
                accuracies=(predicted == truth).mean(axis=1).tolist(),
            )
        )
    return Robustness(
        images=count,
        seed=config.seed,
        clean_accuracy=clean_accuracy,
        mean_accuracy=float(np.mean([curve.accuracies for curve in curves])),
        curves=tuple(curves),
    )


def corrupted_images(config: RobustnessConfig, *, count: int, pixels: int, images_predicted: int) -> int:
    """Return the number of images per corruption and severity, for `count` test images of `pixels` pixels each."""
    allowed = max(int(images_predicted * MAX_FRACTION), FREE_PIXELS // pixels)
    predictions_per_image = 1 + len(config.corruptions) * len(SEVERITIES)  # once without corruption
    return min(config.images, count, max(1, allowed // predictions_per_image))

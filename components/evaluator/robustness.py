"""How accuracy falls on images that were spoilt on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import CorruptionCurve, Robustness
from components.artifacts.evaluation import SEVERITIES
from components.evaluator.corruptions import CORRUPTIONS, corrupt

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from components.evaluator.robustness_config import RobustnessConfig
    from components.inference.predictor import Predictor

SHARE = 1 / 4
"""Of the images that an evaluation asks about anyway: at most so many more are asked about."""
FREE_PIXELS = 2**20
"""So many pixels in all may be asked about besides, whatever the splits' size: less work than loading the model."""


def measure_robustness(
    predict: Predictor,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    config: RobustnessConfig,
    *,
    asked: int,
    check: Callable[[], None],
) -> Robustness | None:
    """Return a model's accuracy on spoilt images, or None where the configuration asks for none.

    Its cost is bounded by counting, never by a clock, so that the result is the same on a slow machine.

    Args:
        predict: the model.
        images: float32 [count, height, width, 1] of the test split; may be a memory map, of which little is read.
        labels: int64 [count].
        config: how many images, spoilt how.
        asked: images that the evaluation asks the model about anyway.
        check: called between corruptions; what it raises ends the work.
    """
    tried = images_to_try(config, count=len(labels), pixels=images[0].size, asked=asked)
    if not tried:
        return None
    chosen = np.random.default_rng(config.seed).permutation(len(labels))[:tried]
    clean, truth = images[chosen], labels[chosen]
    check()
    clean_accuracy = float((predict(clean).argmax(axis=1) == truth).mean())
    curves = []
    for name in config.corruptions:
        check()
        spoilt = [corrupt(name, clean, severity=severity, seed=config.seed) for severity in SEVERITIES]
        predicted = predict(np.concatenate(spoilt)).argmax(axis=1).reshape(len(SEVERITIES), tried)
        accuracies = (predicted == truth).mean(axis=1).tolist()
        corruption = CORRUPTIONS[name]
        curves.append(
            CorruptionCurve(
                corruption=name,
                unit=corruption.unit,
                amounts=corruption.amounts_for(*clean.shape[1:3]),
                accuracies=accuracies,
            )
        )
    return Robustness(
        images=tried,
        seed=config.seed,
        clean_accuracy=clean_accuracy,
        mean_accuracy=float(np.mean([curve.accuracies for curve in curves])),
        curves=tuple(curves),
    )


def images_to_try(config: RobustnessConfig, *, count: int, pixels: int, asked: int) -> int:
    """Return how many images each corruption is tried on at each severity.

    Args:
        config: how many are wanted.
        count: images of the test split.
        pixels: of one image.
        asked: images that the evaluation asks the model about anyway.
    """
    allowed = max(int(asked * SHARE), FREE_PIXELS // pixels)
    times_tried = 1 + len(config.corruptions) * len(SEVERITIES)  # and once as they are
    return min(config.images, count, max(1, allowed // times_tried))

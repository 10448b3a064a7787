"""The five figures of the job, drawn for `bare.py` in the same size and with the same content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns

mpl.use("Agg")
import matplotlib.pyplot as plt

MAX_MISTAKES = 24


def draw(
    history: Mapping[str, Sequence[float]],
    confusion: Any,
    maps: Any,
    images: Any,
    labels: Mapping[str, Any],
    probabilities: Any,
    output: Path,
) -> None:
    """Write the five PNG files.

    Args:
        history: of Keras.
        confusion: rows are true labels, columns predicted ones.
        maps: feature maps of the first convolution for the first test image, [height, width, filters].
        images: scaled test images.
        labels: of each split.
        probabilities: of each test image, [count, classes].
        output: folder for the figures.
    """
    for name, figure in (
        ("curves", curves(history)),
        ("confusion_matrix", confusion_matrix(confusion)),
        ("feature_maps", feature_maps(images[0], maps)),
        ("class_distribution", class_distribution(labels)),
        ("mistakes", mistakes(images, labels["test"], probabilities)),
    ):
        figure.savefig(output / f"{name}.png", dpi=150)
        plt.close(figure)


def curves(history: Mapping[str, Sequence[float]]) -> Any:
    figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for panel, name in zip(panels, ("loss", "accuracy"), strict=True):
        panel.plot(history[name], marker="o", label="training")
        panel.plot(history[f"val_{name}"], marker="s", label="validation")
        panel.set(title=name, xlabel="epoch")
        panel.legend()
    return figure


def confusion_matrix(confusion: Any) -> Any:
    figure, axes = plt.subplots(figsize=(7.4, 7.1), layout="constrained")
    sns.heatmap(
        np.where(np.eye(len(confusion), dtype=bool), 0, confusion), annot=confusion, fmt="d", cmap="Oranges",
        square=True, linewidths=0.5, ax=axes,
    )  # fmt: skip
    axes.set(title="Confusion matrix", xlabel="predicted", ylabel="true")
    return figure


def feature_maps(image: Any, maps: Any) -> Any:
    rows = -(-maps.shape[-1] // 8)
    figure = plt.figure(figsize=(11, 0.95 * max(rows, 3) + 0.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 2.9))
    axes = left.subplots()
    axes.imshow(image[..., 0], cmap="gray")
    axes.set_axis_off()
    limit = np.abs(maps).max()
    grid = right.subplots(rows, 8)
    for number, axes in enumerate(grid.flat):
        axes.set_axis_off()
        drawn = axes.imshow(maps[..., number], cmap="RdBu_r", vmin=-limit, vmax=limit)
    right.colorbar(drawn, ax=grid)
    return figure


def class_distribution(labels: Mapping[str, Any]) -> Any:
    figure, panels = plt.subplots(len(labels), 1, figsize=(7, 6), sharex=True, layout="constrained")
    for panel, (split, values) in zip(panels, labels.items(), strict=True):
        counts = np.bincount(values, minlength=10)
        panel.bar(range(len(counts)), counts)
        panel.set(title=f"{split}: {len(values):,} images", ylabel="images")
        panel.set_xticks(range(len(counts)))
    return figure


def mistakes(images: Any, labels: Any, probabilities: Any) -> Any:
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong])][:MAX_MISTAKES]
    figure, grid = plt.subplots(3, 8, figsize=(11, 5.6), layout="constrained")
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, row in zip(grid.flat, worst, strict=False):
        axes.imshow(images[row, ..., 0], cmap="gray_r")
        axes.set_title(f"{labels[row]} read as {predicted[row]}\n{confidence[row]:.1%} sure", fontsize=8.5)
    return figure

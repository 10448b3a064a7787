"""The figures: for two, ten and many classes, and readable as PNG files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from components import Context, Evaluation, Examples, Figures, Model, Stored, Trainer, TransformedExamples, Visualizer
from components.artifacts import Blessing
from components.base.errors import ConfigError
from components.evaluator.metrics import score
from components.inference.split_images import SplitImages
from components.testing.contract import make_inputs
from components.visualizer.figure_data import ConfidentMistakes, ConfusionMatrix, FeatureMaps, TestImage
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.plots.figures import draw_class_distribution, draw_confusion_matrix
from components.visualizer.plots.mosaics import draw_feature_maps, draw_mistakes
from components.visualizer.plots.style import save, style
from tests.support.cases import parametrize_sample
from tests.support.html import read_html
from tests.support.statements import changed
from tests.support.text import HOSTILE


def read_png(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def evaluation_of(classes: int, wrong: int) -> Evaluation:
    random = np.random.default_rng(0)
    labels = np.arange(classes * 20) % classes
    predictions = labels.copy()
    predictions[:wrong] = random.integers(0, classes, wrong)
    names = [f"class {label}" for label in range(classes)]
    scores = score(labels, np.eye(classes, dtype=np.float32)[predictions], names)
    return Evaluation(
        test_sha256="0" * 64,
        weights_sha256="1" * 64,
        metrics=scores.metrics,
        per_class=scores.per_class,
        confusion_matrix=scores.confusion_matrix,
        predictions_file="p.parquet",
        metrics_file="m.json",
        blessing=Blessing(verdict="BLESSED", checks=()),
    )


@parametrize_sample(1, ("classes", "wrong"), [(2, 5), (10, 0), (62, 300)])
def test_confusion_matrix_of_any_number_of_classes(tmp_path: Path, classes: int, wrong: int) -> None:
    with style():
        figure = draw_confusion_matrix(ConfusionMatrix.from_evaluation(evaluation_of(classes, wrong)))
        save(figure, tmp_path / "confusion.png")
    axes = figure.axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[0] == "class 0"
    assert len(labels) <= 31
    counts = [int(text.get_text().replace(",", "")) for text in axes.texts]
    assert sum(counts) == (classes * 20 if classes <= 25 else 0)
    assert read_png(tmp_path / "confusion.png").shape[1] >= 500


def test_long_and_hostile_names_of_classes_are_short_labels(tmp_path: Path) -> None:
    names, counts = (HOSTILE, "n" * 255), np.ones((2, 2), dtype=np.int64)
    with style():
        figure = draw_confusion_matrix(ConfusionMatrix(names, counts, image_count=4))
        save(figure, tmp_path / "matrix.png")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [r"\x1b[31mred … st?key=***", "nnnnnnnnnnn … nnnnnnnnnn"]


@parametrize_sample(1, "classes", [2, 100])
def test_class_distribution_of_any_number_of_classes(tmp_path: Path, classes: int) -> None:
    examples: Examples = make_inputs(tmp_path)[Examples].artifact
    sizes = {"train": 100, "validation": 10, "test": 20}
    splits = {
        name: changed(
            split,
            shards=(changed(split.shards[0], count=sizes[name] * classes),),
            count=sizes[name] * classes,
            label_counts=(sizes[name],) * classes,
        )
        for name, split in examples.splits.items()
    }
    names = tuple(f"class {label}" for label in range(classes))
    with style():
        figure = draw_class_distribution(changed(examples, class_names=names, splits=splits))
        save(figure, tmp_path / "classes.png")
    assert len(figure.axes) == 3
    assert [len(axes.patches) for axes in figure.axes] == [classes] * 3


@parametrize_sample(1, "wrong", [0, 1, 100])
def test_most_confident_mistakes_come_first(tmp_path: Path, wrong: int) -> None:
    labels = np.zeros(100, dtype=np.int64)
    confidence = np.linspace(0.3, 0.99, 100)
    frame = pd.DataFrame({"label": labels, "prediction": labels, "confidence": confidence})
    frame.loc[: wrong - 1, "prediction"] = 1
    test = SplitImages(np.zeros((100, 8, 8, 1), dtype=np.float32), labels)
    with style():
        figure = draw_mistakes(ConfidentMistakes.from_predictions(test, frame, ("zero", "one")))
        save(figure, tmp_path / "mistakes.png")
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert len(titles) == min(wrong, 24)
    if wrong:
        assert titles[0] == f"zero → one\n{confidence[wrong - 1]:.1%} confident"


@parametrize_sample(1, "filters", [1, 9, 200])
def test_feature_maps_of_any_number_of_filters(tmp_path: Path, filters: int) -> None:
    maps = np.random.default_rng(0).normal(size=(1, 12, 12, filters)).astype(np.float32)
    image = TestImage(0, "seven", maps[0, ..., :1])
    with style():
        figure = draw_feature_maps(FeatureMaps((image,), (maps,)))
        save(figure, tmp_path / "maps.png")
    assert read_png(tmp_path / "maps.png").shape[1] > 1000


@pytest.mark.thorough
def test_a_trained_network_has_all_figures(tmp_path: Path) -> None:
    made = make_inputs(tmp_path / "inputs")
    trained, output = tmp_path / "trained", tmp_path / "figures"
    for folder in (trained, output):
        folder.mkdir()
    network = {"filters": (6, 4, 4), "dense": (8, 8)}
    config = Trainer.Config.model_validate({"network": network, "epochs": 2})
    transformed: Stored[TransformedExamples] = made[TransformedExamples]
    model: Stored[Model] = Stored(Trainer(config).run(Context(output=trained), transformed=transformed), trained)

    def draw(*rows: int) -> Figures:
        visualizer = Visualizer(Visualizer.Config(examples=rows))
        return visualizer.run(
            Context(output=output),
            examples=made[Examples],
            transformed=transformed,
            model=model,
            evaluation=made[Evaluation],
        )

    figures = draw(3, 5)
    assert [figure.name for figure in figures.figures] == [
        "curves",
        "confusion_matrix",
        "feature_maps",
        "kernels",
        "class_distribution",
        "training_images",
        "mistakes",
    ]
    for figure in figures.figures:
        assert read_png(output / figure.file).std() > 5, f"{figure.name} is blank"
        assert figure.alt
    page = read_html((output / "report.html").read_text())
    panels = [each for each in page.everything() if each.attributes.get("class") == "panel"]
    assert [len(panel.all("img")) for panel in panels] == [3, 3], "every convolution for each image"
    assert "16 filters" not in page.by_id("maps").text
    assert "6 filters" in page.by_id("maps").text
    with pytest.raises(ConfigError, match="visualizer.examples has 99999"):
        draw(0, 99999)


@pytest.mark.parametrize(
    ("kind", "options", "shape"),
    [
        ("Conv2D", {"filters": 12, "kernel_size": (5, 3)}, (12, 5, 3, 3)),
        ("SeparableConv2D", {"filters": 12, "kernel_size": 3, "depth_multiplier": 2}, (6, 3, 3, 1)),
        ("Dense", {"units": 20}, None),
    ],
)
def test_kernels_are_those_of_the_first_layer(
    tmp_path: Path, kind: str, options: dict[str, Any], shape: tuple[int, ...] | None
) -> None:
    import keras

    layer = getattr(keras.layers, kind)(**options, name="first")
    body = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.ReLU(), layer])
    network = keras.Sequential([body, keras.layers.Flatten(), keras.layers.Dense(2)])
    model = make_inputs(tmp_path)[Model]
    found = NetworkKernels.of(Stored(changed(model.artifact, image_shape=(8, 8, 3)), tmp_path), network)
    assert (found and (found.layer, found.kernels.shape)) == (shape and ("first", shape))
    flat = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(20, name="dense")])
    dense = NetworkKernels.of(Stored(changed(model.artifact, image_shape=(8, 8, 3)), tmp_path), flat)
    assert dense is not None
    assert dense.kernels.shape == (20, 8, 8, 3)

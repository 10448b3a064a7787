"""Training images by class, augmented images, kernels, and learning curves by training step."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from components import Context, Model, Stored, Transform, TransformedExamples
from components.artifacts import AugmentedImages, Examples
from components.inference.split_images import read_scaled
from components.testing.contract import make_inputs
from components.visualizer import training_images
from components.visualizer.learning_curves import learning_curves
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.plots.mosaics import draw_augmented_images, draw_kernels, draw_training_images
from components.visualizer.plots.style import save, style
from components.visualizer.training_images import ClassImages, TrainingImages, read_augmented
from tests.support.statements import changed

Inputs = dict[Any, Stored[Any]]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


def test_means_and_most_distant_images_are_those_of_numpy(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_images, "row_group_rows", lambda _: 7)  # several batches
    transformed: Stored[TransformedExamples] = inputs[TransformedExamples]
    train = read_scaled(transformed, transformed.artifact.splits.train)
    found = TrainingImages.read(transformed)
    assert found.images_read == len(train)
    for label, shown in enumerate(found.classes):
        rows = np.flatnonzero(train.labels == label)
        mean = train.images[rows].mean(axis=0)
        distances = ((train.images[rows] - mean) ** 2).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(shown.mean, mean, atol=1e-6)
        assert shown.most_distant_row == rows[distances.argmax()]
        np.testing.assert_array_equal(shown.most_distant, train.images[shown.most_distant_row])
        spaced = rows[[n * len(rows) // 10 for n in range(10)]]
        np.testing.assert_array_equal(shown.images, train.images[spaced])


def test_standardized_images_are_shown_as_pictures(inputs: Inputs, tmp_path: Path) -> None:
    config = Transform.Config.model_validate({"operations": [{"kind": "standardize"}]})
    standardized = Stored(Transform(config).run(Context(output=tmp_path), examples=inputs[Examples]), tmp_path)
    plain, found = (TrainingImages.read(each).classes for each in (inputs[TransformedExamples], standardized))
    np.testing.assert_array_equal([each.mean for each in plain], [each.mean for each in found])
    np.testing.assert_array_equal([each.images for each in plain], [each.images for each in found])

    train = read_scaled(standardized, standardized.artifact.splits.train)
    np.save(tmp_path / "augmented.npy", train.images[:4].reshape(1, 4, 16, 16, 1))
    model = changed(inputs[Model].artifact, augmented=AugmentedImages(file="augmented.npy", rows=(0,)))
    (image,) = read_augmented(Stored(model, tmp_path), standardized)
    picture = read_scaled(inputs[TransformedExamples], inputs[TransformedExamples].artifact.splits.train).images[0]
    low, high = picture.min(), picture.max()
    np.testing.assert_allclose(image.original, (picture - low) / (high - low), atol=1e-5)


def test_only_the_first_images_of_a_large_split_are_read(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_images, "MAX_VALUES", 20 * 16 * 16)
    found = TrainingImages.read(inputs[TransformedExamples])
    assert found.images_read == 20
    assert all(each.most_distant_row < 20 for each in found.classes)


def pictures(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize(("classes", "channels"), [(1, 1), (26, 3)])
def test_training_images_of_any_number_of_classes(tmp_path: Path, classes: int, channels: int) -> None:
    image = pictures(4, 5, channels)
    shown = tuple(
        ClassImages(f"class {label} " + "x" * 200, (image,) * 10, image, image, label) for label in range(classes)
    )
    with style():
        figure = draw_training_images(TrainingImages(shown, images_read=300), class_count=classes)
        save(figure, tmp_path / "images.png")
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels.count("mean") == (2 if classes > 25 else 1), "one header a block"
    assert len(labels) == classes + 2 * labels.count("mean")
    assert (tmp_path / "images.png").stat().st_size > 1000


def test_a_linear_model_has_one_image_of_weights_a_class(inputs: Inputs) -> None:
    found = NetworkKernels.of(inputs[Model], None)
    assert found is not None
    assert found.kernels.shape == (3, 16, 16, 1)
    with np.load(inputs[Model].directory / inputs[Model].artifact.file) as arrays:
        np.testing.assert_array_equal(found.kernels[1].reshape(-1), arrays["weights"][:, 1])


@pytest.mark.parametrize("channels", [1, 3])
def test_kernels_are_drawn_in_red_and_blue_or_in_color(tmp_path: Path, channels: int) -> None:
    with style():
        save(draw_kernels(NetworkKernels("first", pictures(70, 5, 5, channels) - 0.5)), tmp_path / "kernels.png")
    assert (tmp_path / "kernels.png").stat().st_size > 1000


def test_augmented_images_follow_their_original(inputs: Inputs, tmp_path: Path) -> None:
    model, transformed = inputs[Model].artifact, inputs[TransformedExamples]
    assert read_augmented(inputs[Model], transformed) == ()
    np.save(tmp_path / "augmented.npy", pictures(2, 3, 16, 16, 1))
    augmented = AugmentedImages(file="augmented.npy", rows=(5, 0))
    first, second = read_augmented(Stored(changed(model, augmented=augmented), tmp_path), transformed)
    with style():
        save(draw_augmented_images((first, second)), tmp_path / "augmentation.png")
    assert (tmp_path / "augmentation.png").stat().st_size > 1000
    labels = read_scaled(transformed, transformed.artifact.splits.train).labels
    assert (first.row, first.class_name, second.row) == (5, model.class_names[labels[5]], 0)
    assert len(first.variants) == 2
    np.testing.assert_array_equal(second.original, pictures(2, 3, 16, 16, 1)[1, 0])


def test_curves_are_by_step_with_few_epochs_only(inputs: Inputs) -> None:
    (row,) = inputs[Model].artifact.history
    history = tuple(changed(row, epoch=epoch, val_loss=float(epoch)) for epoch in range(1, 7))
    steps = pd.DataFrame({"epoch": [1, 1, 2, 2], "step": [8, 10, 18, 20], "loss": [4.0, 3.0, 2.0, 1.0]})
    steps["accuracy"] = 0.5
    few = changed(inputs[Model].artifact, history=history[:2], best_epoch=1)
    loss, _ = learning_curves(few, steps)
    assert (loss.x_name, loss.x, loss.best) == ("training step", (8, 10, 18, 20), 10)
    assert loss.training == (4.0, 3.0, 2.0, 1.0)
    assert loss.validated == ((10, 1.0), (20, 2.0))
    many = changed(inputs[Model].artifact, history=history, best_epoch=6)
    for loss in (learning_curves(many, steps)[0], learning_curves(many)[0]):
        assert (loss.x_name, loss.x, loss.best) == ("epoch", (1, 2, 3, 4, 5, 6), 6)

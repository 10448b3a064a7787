"""Training steps on cached images, and training block by block."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context
from components.base.errors import TerminationError
from components.inference.split_images import SplitImages
from components.trainer.config import TrainerConfig
from components.trainer.device_cache import IMAGES_SHARE, DeviceCache
from components.trainer.network import NetworkConfig, build_network
from components.trainer.precision import with_precision
from components.trainer.train_step import Classifier
from components.trainer.training_loop import TrainingLoop
from tests.support.termination import TerminationAfter

NETWORK = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), dropout=0.0)
IN_BLOCKS = {"memory_budget": int(80 * 4 * 16 * 16 / IMAGES_SHARE)}
"""A change of the configuration, so that eighty images of 253 are loaded at once."""


def squares(count: int, seed: int) -> SplitImages:
    """Return images with one bright quarter each; its number is the label."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = random.random((count, 16, 16, 1), np.float32) * 0.5
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] += 0.5
    return SplitImages(images, labels)


def network(seed: int = 0, precision: str = "float32") -> Any:
    return with_precision(build_network(NETWORK, image_shape=(16, 16, 1), classes=4, seed=seed), precision)


def config(**changes: Any) -> TrainerConfig:
    return TrainerConfig.model_validate({"epochs": 3, "batch_size": 16, "learning_rate": {"peak": 0.02}, **changes})


def trained(tmp_path: Path, settings: TrainerConfig, **options: Any) -> tuple[TrainingLoop, list[Any]]:
    built = network(precision=options.pop("precision", "float32"))
    loop = TrainingLoop(built, settings, squares(203, 0), squares(50, 1), Context(output=tmp_path), **options)
    loop.fit()
    return loop, built.get_weights()


@pytest.mark.thorough
def test_training_in_blocks_learns_as_well_as_in_memory(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path, config())
    in_blocks, _ = trained(tmp_path, config().model_copy(update=IN_BLOCKS))
    again, _ = trained(tmp_path, config().model_copy(update=IN_BLOCKS))
    assert whole.history[-1].val_accuracy == in_blocks.history[-1].val_accuracy == 1.0
    assert in_blocks.history == again.history
    assert in_blocks.history != whole.history


@pytest.mark.thorough
def test_training_in_blocks_resumes_with_identical_weights(tmp_path: Path) -> None:
    settings = config(epochs=2).model_copy(update=IN_BLOCKS)
    whole, weights = trained(tmp_path, settings)
    interruptions = 0
    while interruptions < 50:
        built = network()
        context = Context(output=tmp_path, checkpoints=tmp_path / "checkpoints", termination=TerminationAfter(1))
        try:
            loop = TrainingLoop(built, settings, squares(203, 0), squares(50, 1), context)
            loop.fit()
        except TerminationError:
            interruptions += 1
        else:
            break
    assert interruptions > 5
    assert loop.history == whole.history
    for one, other in zip(weights, built.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_validation_in_blocks_has_the_same_means(tmp_path: Path) -> None:
    loop = TrainingLoop(network(), config(), squares(64, 0), squares(50, 1), Context(output=tmp_path))
    whole = loop.validate()
    loop.validation_rows = 15
    assert loop.validate() == pytest.approx(whole, rel=1e-5)


@pytest.mark.thorough
def test_label_smoothing_affects_only_training(tmp_path: Path) -> None:
    plain, _ = trained(tmp_path, config(epochs=6))
    smoothed, _ = trained(tmp_path, config(epochs=6, label_smoothing=0.2))
    # The least cross-entropy with 0.85 and three times 0.05 is their entropy; without smoothing it is 0.
    entropy = -(0.85 * np.log(0.85) + 0.15 * np.log(0.05))
    assert smoothed.history[-1].loss > entropy > plain.history[-1].loss
    assert smoothed.history[-1].val_loss < entropy


@pytest.mark.thorough
@pytest.mark.parametrize("clean", [0, 2])
def test_last_epochs_train_without_augmentation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean: int) -> None:
    import tensorflow as tf

    # This augmentation erases the images: the network can learn only in clean epochs.
    monkeypatch.setattr(
        "components.trainer.augmentation_function.augment", lambda _, images, **__: tf.zeros_like(images)
    )
    settings = config(epochs=6, augmentation={"rotation": 1.0, "clean_epochs": 2 * clean})
    history = trained(tmp_path, settings)[0].history
    assert history[1].accuracy < 0.5
    assert (history[-1].accuracy > 0.7) == (clean > 0)


def test_more_clean_epochs_than_epochs_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"augmentation\.clean_epochs 4 is more than epochs 3"):
        config(augmentation={"rotation": 1.0, "clean_epochs": 4})


@pytest.mark.thorough
def test_xla_training_step_gives_the_same_weights(tmp_path: Path) -> None:
    settings = config(epochs=1, augmentation={"rotation": 5.0})
    (plain, weights), (compiled, xla_weights) = trained(tmp_path, settings), trained(tmp_path, settings, xla=True)
    assert compiled.history[0].loss == pytest.approx(plain.history[0].loss, abs=1e-3)
    for one, other in zip(weights, xla_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_with_float32_weights(tmp_path: Path, precision: str) -> None:
    result, weights = trained(tmp_path, config(epochs=4), precision=precision)
    assert result.history[-1].val_accuracy > 0.9
    assert {array.dtype for array in weights} == {np.dtype(np.float32)}


def test_training_step_takes_row_numbers_of_cached_images() -> None:
    train, validation = DeviceCache(squares(8, 0)), DeviceCache(squares(8, 1))
    train.load_rows(0, 8)
    classifier = Classifier(network(), config(), train=train, validation=validation, first_clean_step=0, xla=False)
    classifier.compile(optimizer="adam")
    before = classifier.network.get_weights()
    classifier.train_step((np.int64(0), np.array([1, 5, 7])))
    assert any((one != other).any() for one, other in zip(before, classifier.network.get_weights(), strict=True))
    assert float(classifier.accuracy.count) == 3
    assert not any(variable.shape.rank == 4 and variable.shape[1:3] == (16, 16) for variable in classifier.variables)

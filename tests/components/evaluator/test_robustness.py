"""Corruptions have the configured amount, and robustness is the accuracy on corrupted images."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from components.artifacts import Robustness
from components.artifacts.evaluation import SEVERITIES
from components.evaluator.config import CORRUPTION_NAMES, CorruptionName, RobustnessConfig
from components.evaluator.corruptions import CORRUPTIONS, corrupt
from components.evaluator.robustness import corrupted_images, measure_robustness
from components.inference.predictor import Predictor, linear_predictor
from components.inference.split_images import SplitImages
from tests.support.cases import parametrize_sample
from tests.support.data import squares

# The amount that leaves an image as it is.
NONE: dict[CorruptionName, float] = {**dict.fromkeys(CORRUPTION_NAMES, 0.0), "scale": 1.0, "contrast": 1.0}


def digits(count: int = 40, *, side: int = 28) -> NDArray[np.float32]:
    """Return images with an L, which every rotation changes, within the margins that MNIST has."""
    images = np.zeros((count, side, side, 1), np.float32)
    a, b, c = side // 4, side // 2, 3 * side // 4
    images[:, a:c, a : a + 3] = 1
    images[:, c - 3 : c, a:b] = 0.8
    return images


def center(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the center of the ink of each image: row and column from the middle, in pixels."""
    places = np.arange(images.shape[1]) - (images.shape[1] - 1) / 2
    ink = images[..., 0].astype(np.float64)
    total = ink.sum(axis=(1, 2))
    return np.stack([ink.sum(axis=2) @ places / total, ink.sum(axis=1) @ places / total], axis=1)


def at(name: CorruptionName, amount: float, images: NDArray[np.float32]) -> NDArray[np.floating]:
    return CORRUPTIONS[name].distort(images, amount, np.random.default_rng(0))


def test_amounts_increase_with_the_severity() -> None:
    assert tuple(CORRUPTIONS) == CORRUPTION_NAMES
    for name, corruption in CORRUPTIONS.items():
        distances = [abs(amount - NONE[name]) for amount in (NONE[name], *corruption.amounts)]
        assert distances == sorted(set(distances)), name


@pytest.mark.parametrize("name", CORRUPTION_NAMES)
def test_the_neutral_amount_changes_nothing(name: CorruptionName) -> None:
    np.testing.assert_allclose(at(name, NONE[name], digits(3)), digits(3), atol=1e-6)


@pytest.mark.parametrize("name", CORRUPTION_NAMES)
def test_a_higher_severity_changes_images_more(name: CorruptionName) -> None:
    images = np.zeros((40, 28, 28, 1), np.float32)
    images[:, 5:23, 10:18] = 1  # large enough that every severity leaves a part in place
    corrupted = [corrupt(name, images, severity=severity, seed=0) for severity in SEVERITIES]
    distances = [float(((image - images) ** 2).mean()) for image in corrupted]
    assert distances == sorted(distances)
    assert distances[0] > 0
    for image in corrupted:
        assert image.shape == images.shape
        assert image.dtype == np.float32
        assert image.min() >= 0
        assert image.max() <= 1


@pytest.mark.parametrize("name", CORRUPTION_NAMES)
def test_the_result_does_not_depend_on_later_images(name: CorruptionName) -> None:
    images = digits()
    all_images = corrupt(name, images, severity=3, seed=5)
    assert np.array_equal(all_images[:7], corrupt(name, images[:7], severity=3, seed=5))


@pytest.mark.parametrize("name", ["shift", "rotation", "noise", "occlusion"])
def test_the_seed_decides_and_images_are_corrupted_differently(name: CorruptionName) -> None:
    images = digits()
    assert not np.array_equal(corrupt(name, images, severity=3, seed=0), corrupt(name, images, severity=3, seed=1))
    assert len({image.tobytes() for image in corrupt(name, images, severity=3, seed=0)}) > 1


def test_shifts_have_the_amount_and_many_directions() -> None:
    moved = center(at("shift", 3.5, digits()).astype(np.float32)) - center(digits())
    assert np.hypot(*moved.T) == pytest.approx(3.5, abs=0.01)
    assert (np.sign(moved).min(axis=0) < 0).all()
    assert (np.sign(moved).max(axis=0) > 0).all()


def test_the_surrounding_of_a_shifted_image_is_black() -> None:
    left = at("shift", 3, np.ones((50, 28, 28, 1), np.float32)).sum(axis=(1, 2, 3))
    # Moved by d down and r to the right, (28 - d) (28 - r) pixels are left, where d² + r² = 9.
    assert left.max() <= 28 * 25 + 1e-2
    assert left.min() >= (28 - 3 / np.sqrt(2)) ** 2 - 1e-2


def test_rotates_by_the_amount_in_both_directions() -> None:
    before, after = center(digits()), center(at("rotation", 30, digits()).astype(np.float32))
    angles = [np.degrees(np.arctan2(*places.T[::-1])) for places in (before, after)]
    turned = (angles[1] - angles[0] + 180) % 360 - 180
    assert np.abs(turned) == pytest.approx(30, abs=1)
    assert {round(float(side)) for side in np.sign(turned)} == {-1, 1}


def test_a_rotation_by_90_degrees_is_exact() -> None:
    turned = at("rotation", 90, digits())
    either = [np.rot90(digits(1)[0], times) for times in (1, 3)]
    assert all(any(np.allclose(image, one, atol=1e-6) for one in either) for image in turned)


def test_scaling_shrinks_about_the_center() -> None:
    half = at("scale", 0.5, digits(1)).astype(np.float32)
    assert half.sum() / digits(1).sum() == pytest.approx(0.25, rel=0.1)
    assert center(half) == pytest.approx(center(digits(1)) / 2, abs=0.2)


def test_noise_has_the_configured_standard_deviation() -> None:
    gray = np.full((20, 28, 28, 1), 0.5, np.float32)
    assert (at("noise", 0.1, gray) - gray).std() == pytest.approx(0.1, rel=0.05)


def test_blur_spreads_ink_and_keeps_its_sum() -> None:
    dot = np.zeros((1, 29, 29, 1), np.float32)
    dot[0, 14, 14] = 1
    blurred = at("blur", 1.5, dot)[0, ..., 0]
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert blurred.sum(axis=1) @ (np.arange(29) - 14) ** 2 == pytest.approx(1.5**2, rel=0.03)


def test_contrast_keeps_the_mean_and_shrinks_the_deviation() -> None:
    flat = at("contrast", 0.3, digits(1))
    assert flat.mean() == pytest.approx(digits(1).mean())
    assert flat.std() == pytest.approx(0.3 * digits(1).std(), rel=1e-5)


def test_occlusion_removes_a_square_within_the_image() -> None:
    white = np.ones((50, 28, 20, 1), np.float32)
    gone = 1 - at("occlusion", 5, white)
    assert gone.sum(axis=(1, 2, 3)) == pytest.approx(25, abs=1e-3)
    assert len({image.tobytes() for image in gone}) == 50


def test_amounts_in_pixels_scale_with_the_image() -> None:
    assert CORRUPTIONS["shift"].amounts_for(56, 80) == (2, 4, 6, 8, 10)
    assert CORRUPTIONS["rotation"].amounts_for(56, 80) == CORRUPTIONS["rotation"].amounts


@pytest.mark.parametrize("name", [name for name in CORRUPTION_NAMES if name not in ("noise", "contrast")])
def test_all_channels_of_an_image_are_corrupted_alike(name: CorruptionName) -> None:
    gray = digits(3)
    red, green, blue = np.moveaxis(
        at(name, CORRUPTIONS[name].amounts[2], gray * np.array([1, 0.5, 0], np.float32)), -1, 0
    )
    np.testing.assert_allclose(red, at(name, CORRUPTIONS[name].amounts[2], gray)[..., 0], atol=1e-6)
    np.testing.assert_allclose(green, red / 2, atol=1e-6)
    assert not blue.any()


# Accuracy of a model.


def squares_and_a_model(count: int = 400) -> tuple[SplitImages, Predictor]:
    """Return pictures of squares at ten places, and a model that takes the nearest class mean."""
    raw, labels = squares(count)
    images = (raw / 255).astype(np.float32)[..., None]
    means = np.stack([images[labels == label].mean(axis=0).reshape(-1) for label in range(10)])
    return SplitImages(images, labels), linear_predictor(2 * means.T, -(means**2).sum(axis=1))


def robustness(config: RobustnessConfig, *, images_predicted: int = 10**6) -> Robustness:
    pictures, predict = squares_and_a_model()
    found = measure_robustness(predict, pictures, config, images_predicted=images_predicted, check=lambda: None)
    assert found is not None
    return found


def test_accuracy_falls_with_the_severity_and_is_averaged() -> None:
    found = robustness(RobustnessConfig(images=100))
    assert found.images == 100
    assert found.clean_accuracy == 1
    assert [curve.corruption for curve in found.curves] == list(CORRUPTION_NAMES)
    shift = found.curves[0].accuracies
    assert shift[-1] < shift[0]
    assert all(later <= earlier + 0.02 for earlier, later in pairwise(shift))
    everything = [accuracy for curve in found.curves for accuracy in curve.accuracies]
    assert len(everything) == 7 * 5
    assert found.mean_accuracy == pytest.approx(sum(everything) / len(everything))


def test_a_curve_is_the_accuracy_on_corrupted_images() -> None:
    pictures, predict = squares_and_a_model()
    everything = RobustnessConfig(images=200, corruptions=("rotation",))
    curve = robustness(everything).curves[0]
    order = np.random.default_rng(0).permutation(400)[:200]
    for severity, accuracy in zip(SEVERITIES, curve.accuracies, strict=True):
        predicted = predict(corrupt("rotation", pictures[order], severity=severity, seed=0)).argmax(axis=1)
        assert (predicted == pictures.labels[order]).mean() == accuracy


def test_a_corruption_does_not_depend_on_other_corruptions() -> None:
    both = robustness(RobustnessConfig(images=50, corruptions=("noise", "shift")))
    assert both.curves[1] == robustness(RobustnessConfig(images=50, corruptions=("shift",))).curves[0]
    assert both == robustness(RobustnessConfig(images=50, corruptions=("noise", "shift")))


def test_zero_images_disable_the_measurement() -> None:
    pictures, predict = squares_and_a_model(30)
    off = RobustnessConfig(images=0)
    assert measure_robustness(predict, pictures, off, images_predicted=30, check=lambda: None) is None


@parametrize_sample(1, "images_predicted", [16_000, 100_000])
def test_predicts_at_most_a_quarter_more_images(images_predicted: int) -> None:
    batch_sizes = []

    pictures, model = squares_and_a_model(200)

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        batch_sizes.append(len(images))
        return model(images)

    config = RobustnessConfig(images=5000)
    found = measure_robustness(predict, pictures, config, images_predicted=images_predicted, check=lambda: None)
    assert found is not None
    assert sum(batch_sizes) == 36 * found.images <= images_predicted / 4
    assert found.images == min(200, images_predicted // 4 // 36)


def test_a_minimum_of_images_is_always_measured() -> None:
    config = RobustnessConfig()
    assert corrupted_images(config, count=100, pixels=512 * 512, images_predicted=120) == 1
    assert corrupted_images(config, count=360, pixels=8 * 8, images_predicted=540) == 100
    assert corrupted_images(config, count=60, pixels=8 * 8, images_predicted=540) == 60
    assert corrupted_images(config, count=10_000, pixels=28 * 28, images_predicted=16_000) == 100, "MNIST's"


def test_ends_if_termination_is_requested() -> None:
    pictures, predict = squares_and_a_model(30)
    calls = iter([None, None, KeyboardInterrupt])

    def check() -> None:
        if stop := next(calls):
            raise stop

    with pytest.raises(KeyboardInterrupt):
        measure_robustness(predict, pictures, RobustnessConfig(), images_predicted=30, check=check)


@pytest.mark.parametrize("wrong", [{"images": -1}, {"images": True}, {"corruptions": []}, {"corruptions": ["rain"]}])
def test_refuses_invalid_configurations(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RobustnessConfig.model_validate(wrong)
    with pytest.raises(ValidationError, match="twice"):
        RobustnessConfig(corruptions=("blur", "blur"))

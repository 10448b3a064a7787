"""Whitening: filters computed from training images, which training leaves as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from components import Context, Stored, Trainer, TransformedExamples
from components.base.errors import ConfigError
from components.inference.predictor import load_network
from components.inference.split_images import SplitImages, open_scaled
from components.testing.contract import make_inputs
from components.trainer import whitening
from components.trainer.network import NetworkConfig
from components.trainer.whitening import extract_patches, whiten, whitening_filters

NETWORK: dict[str, Any] = {"crop": 1, "whitening": True, "filters": (6, 4, 4), "dense": (8,), "dropout": 0.0}


def smooth_images(count: int, size: int = 12, channels: int = 1) -> NDArray[np.float32]:
    """Return images whose neighboring pixels are correlated."""
    noise = np.random.default_rng(0).random((count, size + 3, size + 3, channels), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(noise, (4, 4), axis=(1, 2))
    images: NDArray[np.float32] = windows.mean(axis=(-2, -1), dtype=np.float32)
    return images


def responses(images: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the outputs of a convolution as rows: [patches, filters]."""
    windows = np.lib.stride_tricks.sliding_window_view(images, filters.shape[:2], axis=(1, 2))
    outputs: NDArray[np.float64] = np.einsum("nyxcij,ijck->nyxk", windows, filters).astype(np.float64)
    return outputs.reshape(-1, filters.shape[-1])


@pytest.mark.parametrize(("size", "channels", "count"), [(3, 1, 4), (2, 3, 5), (1, 1, 1)])
def test_outputs_of_the_filters_are_uncorrelated(size: int, channels: int, count: int) -> None:
    images = 10 * smooth_images(400, channels=channels)  # large variances, so that the constant added to them is small
    filters = whitening_filters(extract_patches(images, size=size))[..., :count]
    assert filters.shape == (size, size, channels, count)
    covariance = np.cov(responses(images, filters), rowvar=False).reshape(count, count)
    np.testing.assert_allclose(covariance, np.eye(count), atol=0.1)


def test_directions_without_variance_have_no_filters() -> None:
    gray = smooth_images(50)
    assert whitening_filters(extract_patches(np.repeat(gray, 3, axis=-1), size=1)).shape == (1, 1, 3, 1)
    assert whitening_filters(np.full((100, 3, 3, 1), 0.5, np.float32)).shape == (3, 3, 1, 0)


def test_each_filter_is_followed_by_its_negative() -> None:
    network = NetworkConfig.model_validate(NETWORK).build(image_shape=(12, 12, 1), classes=4, seed=0)
    images = smooth_images(20)
    images[:, 0] = images[:, :, -1] = 9  # the border is not a part of any patch
    whiten(network, SplitImages(images, np.arange(20) % 4), crop=1)
    kernel = network.get_layer("convolution_1").kernel.numpy()
    np.testing.assert_array_equal(kernel[..., 3:], -kernel[..., :3])
    patches = extract_patches(images[:, 1:-1, 1:-1], size=3)
    np.testing.assert_array_equal(kernel[..., :3], whitening_filters(patches)[..., :3])


def test_large_images_contribute_fewer_patches_each(monkeypatch: pytest.MonkeyPatch) -> None:
    images = smooth_images(40, size=60)
    images[0] = 1.0
    network = NetworkConfig.model_validate(NETWORK).build(image_shape=(60, 60, 1), classes=4, seed=0)
    monkeypatch.setattr(whitening, "MAX_PATCH_VALUES", 40 * 9 * 30)
    monkeypatch.setattr(whitening, "MAX_PIXELS_READ", 3 * 60 * 60)
    whiten(network, SplitImages(images, np.arange(40) % 4), crop=1)
    patches = extract_patches(images[:, 1:-1, 1:-1], size=3, stride=11)  # 25 of each, from all images
    expected = whitening_filters(patches)[..., :3]
    np.testing.assert_array_equal(network.get_layer("convolution_1").kernel.numpy()[..., :3], expected)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"filters": (20, 4, 4)}, "at most 18, two for each direction in which patches of 3x3 pixels differ"),
        (
            {"filters": (4, 4, 4), "kernels": (1, 3, 3)},
            "at most 2, two for each direction in which patches of 1x1 pixels differ",
        ),
        ({"filters": (4,), "kernels": (11,)}, "at least 11x11, the size of the first convolution's kernels"),
    ],
)
def test_filters_that_images_do_not_have_are_an_error(sizes: dict[str, Any], expected: str) -> None:
    network = NetworkConfig.model_validate(NETWORK | sizes).build(image_shape=(12, 12, 1), classes=4, seed=0)
    with pytest.raises(ConfigError) as caught:
        whiten(network, SplitImages(smooth_images(20), np.arange(20) % 4), crop=1)
    assert caught.value.expected == expected


@pytest.mark.thorough
def test_trained_model_has_the_filters_of_its_images(tmp_path: Path) -> None:
    transformed = make_inputs(tmp_path)[TransformedExamples]
    config = Trainer.Config.model_validate({"network": NETWORK, "epochs": 2, "batch_size": 16, "exports": []})
    (tmp_path / "model").mkdir()
    model = Trainer(config).run(Context(output=tmp_path / "model"), transformed=transformed)
    assert model.frozen == ("convolution_1",)
    images = open_scaled(transformed, transformed.artifact.splits.train)
    cropped = images.read(0, len(images))[:, 1:-1, 1:-1]
    kernel = load_network(Stored(model, tmp_path / "model")).get_layer("convolution_1").kernel.numpy()
    filters = whitening_filters(extract_patches(cropped, size=3))
    np.testing.assert_array_equal(kernel[..., :3], filters[..., :3])

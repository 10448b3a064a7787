"""Files of raw images with one channel or three: conversion while they are written, and what is stated about it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.io import raw_images
from components.io.conversion import Channels, gray_levels, has_color, repeat_gray
from components.io.raw_images import RawImages, convert_channels, spool_images

GRAY = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
COLOR = np.arange(2 * 4 * 3 * 3, dtype=np.uint8).reshape(2, 4, 3, 3) * 3


def spool(path: Path, channels: Channels, *pieces: NDArray[np.uint8]) -> RawImages:
    with spool_images(path, height=4, width=3, channels=channels) as spool:
        for piece in pieces:
            spool.append(piece)
    return spool.images()


def read(images: RawImages) -> NDArray[np.uint8]:
    return np.concatenate([*images.chunks()])


def test_gray_levels_are_those_of_pillow() -> None:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    np.testing.assert_array_equal(gray_levels(colors), np.asarray(Image.fromarray(colors).convert("L")))
    assert has_color(colors)
    assert not has_color(repeat_gray(levels))
    np.testing.assert_array_equal(gray_levels(repeat_gray(levels)), levels)


@pytest.mark.parametrize(
    ("channels", "pieces", "stored", "conversion"),
    [
        ("auto", [GRAY], GRAY, ""),
        ("auto", [repeat_gray(GRAY)], GRAY, ""),
        ("auto", [COLOR], COLOR, ""),
        ("auto", [repeat_gray(GRAY), COLOR], np.concatenate([repeat_gray(GRAY), COLOR]), ""),
        (
            "auto",
            [GRAY, COLOR, GRAY],
            np.concatenate([repeat_gray(GRAY), COLOR, repeat_gray(GRAY)]),
            "converted to 3 channels where grayscale",
        ),
        (1, [GRAY, COLOR], np.concatenate([GRAY, gray_levels(COLOR)]), "converted to grayscale"),
        (1, [COLOR, repeat_gray(GRAY)], np.concatenate([gray_levels(COLOR), GRAY]), "converted to grayscale"),
        (1, [repeat_gray(GRAY)], GRAY, ""),
        (3, [GRAY], repeat_gray(GRAY), "converted to 3 channels where grayscale"),
        (3, [repeat_gray(GRAY)], repeat_gray(GRAY), ""),
    ],
)
def test_images_get_the_channels_of_their_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    channels: Channels,
    pieces: list[NDArray[np.uint8]],
    stored: NDArray[np.uint8],
    conversion: str,
) -> None:
    monkeypatch.setattr(raw_images, "CHUNK_BYTES", 7)  # so that the file is rewritten in several chunks
    images = spool(tmp_path / "images", channels, *pieces)
    np.testing.assert_array_equal(read(images), stored)
    assert images.conversion.describe(4, 3) == conversion


def test_conversions_of_both_sets_are_stated_once(tmp_path: Path) -> None:
    with spool_images(tmp_path / "train", height=4, width=3, channels=1) as train:
        train.append(COLOR, resized_from=[(9, 9), (4, 3)])
    with spool_images(tmp_path / "test", height=4, width=3) as test:
        test.append(GRAY, resized_from=[(2, 8)])
    both = train.images().conversion | test.images().conversion
    assert both.describe(4, 3) == "converted to grayscale, resized from 2 sizes, 2x8 to 9x9, to 4x3"


@pytest.mark.parametrize("shape", [(5, 3, 4), (4, 3), (4, 3, 3), (5, 4, 3, 4)])
def test_images_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="in a file of 4x3 pixels"):
        spool(tmp_path / "images", 1, np.zeros(shape, np.uint8))


def test_columns_of_color_images_are_transposed(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(np.ascontiguousarray(COLOR.swapaxes(1, 2)).data)
    images = RawImages(tmp_path / "images", 0, 2, 4, 3, 3, column_major=True)
    np.testing.assert_array_equal(read(images), COLOR)
    converted = convert_channels(images, 1, tmp_path / "converted", lambda: None)
    np.testing.assert_array_equal(read(converted), gray_levels(COLOR))
    assert convert_channels(images, 3, tmp_path / "same", lambda: None) is images

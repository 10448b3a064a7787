"""Reader of pictures: the pixels of every mode, orientation and format, computed independently; damaged files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.base.errors import DataError
from components.io.pictures import read_picture, resize_picture
from tests.support.png import CHANNELS, GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, Png

HEIGHT, WIDTH = 7, 9


def read_pixels(path: Path) -> NDArray[np.int64]:
    """Return the pixels of a picture: [height, width, 3]."""
    return np.asarray(read_picture(path).image.convert("RGB")).astype(np.int64)


DEPTHS = [
    *((GRAY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((color_type, depth) for color_type in (RGB, GRAY_ALPHA, RGBA) for depth in (8, 16)),
]


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(("color_type", "depth"), DEPTHS)
def test_reads_pixels_of_every_png_mode(
    tmp_path: Path, color_type: int, depth: int, transparent: bool, interlaced: bool
) -> None:
    values = np.random.default_rng(0)
    samples = values.integers(0, 2**depth, (HEIGHT, WIDTH, CHANNELS[color_type]), dtype=np.uint16)
    samples[0, 0], samples[0, 1] = 0, 2**depth - 1
    palette = values.integers(0, 256, (2**depth, 3), dtype=np.uint8) if color_type == PALETTE else None
    colors: list[tuple[int, ...] | None] = [None]
    if transparent:
        if color_type in (GRAY_ALPHA, RGBA):
            return
        colors = [tuple(samples[place].tolist()) for place in ((0, 0), (0, 1), (3, 3))]
        if color_type == PALETTE:
            colors = [(0,), (255, 0), (128, 7)]
    for color in colors:
        png = Png(depth, color_type, samples, palette, color, interlaced)
        (tmp_path / "x.png").write_bytes(png.encode())
        # Pillow reads the high byte of 16 bits.
        assert np.abs(read_pixels(tmp_path / "x.png") - png.on_white()).max() <= (2 if depth == 16 else 1), color


def test_sixteen_bits_with_a_transparent_level_keep_their_digit(tmp_path: Path) -> None:
    digit = np.full((28, 28, 1), 65535, dtype=np.uint16)
    digit[4:24, 12:16] = 3000
    (tmp_path / "x.png").write_bytes(Png(16, GRAY, digit, transparent=(65535,)).encode())
    gray = resize_picture(read_picture(tmp_path / "x.png").image, 28, 28)
    np.testing.assert_array_equal(gray, np.where(digit[..., 0] == 3000, 11, 255))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_reads_pixels_of_every_jpeg_mode(tmp_path: Path, mode: str, options: dict[str, Any]) -> None:
    colors = {"L": (90,), "RGB": (200, 40, 90), "CMYK": (200, 40, 90, 30)}
    Image.new(mode, (32, 16), colors[mode] if len(colors[mode]) > 1 else colors[mode][0]).save(
        tmp_path / "x.jpg", quality=95, **options
    )
    expected = colors[mode]
    if mode == "CMYK":
        *inks, black = colors[mode]
        expected = tuple(round((255 - ink) * (255 - black) / 255) for ink in inks)
    assert np.abs(read_pixels(tmp_path / "x.jpg") - np.array(expected)).max() <= 3


UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}
"""What brings the stored pixels upright, by the EXIF tag Orientation."""
LOSSLESS: dict[str, dict[str, Any]] = {
    "png": {},
    "webp": {"lossless": True},
    "tiff": {},
    "jpg": {"quality": 100, "subsampling": 0},
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_applies_every_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    stored = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((8, 8), dtype=np.uint8))
    stored = np.stack([stored] * 3, axis=-1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / f"x.{suffix}", exif=exif, **LOSSLESS[suffix])
    expected = UPRIGHT[orientation](stored)
    pixels = read_pixels(tmp_path / f"x.{suffix}")
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).max() <= 3


FORMATS: dict[str, dict[str, Any]] = {
    "png": {},
    "bmp": {},
    "gif": {},
    "webp": {"lossless": True},
    "tiff": {},
    "tif": {"compression": "tiff_lzw"},
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_reads_pixels_of_every_format(tmp_path: Path, suffix: str, mode: str) -> None:
    levels = np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH), dtype=np.uint8) * 85
    image = Image.fromarray(levels).convert(mode, dither=Image.Dither.NONE)
    image.save(tmp_path / f"x.{suffix}", **FORMATS[suffix])
    expected = np.where(levels >= 128, 255, 0) if mode == "1" else levels
    picture = read_picture(tmp_path / f"x.{suffix}")
    np.testing.assert_array_equal(read_pixels(tmp_path / f"x.{suffix}"), np.stack([expected] * 3, axis=-1))
    assert not picture.has_more_frames


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "gif"])
def test_transparency_becomes_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGBA", (WIDTH, HEIGHT), (10, 20, 30, 255))
    image.paste((10, 20, 30, 0), (0, 0, 4, HEIGHT))
    image.save(tmp_path / f"x.{suffix}", **FORMATS[suffix])
    pixels = read_pixels(tmp_path / f"x.{suffix}")
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 4:] == (10, 20, 30)).all()


def test_tiff_of_gray_multiplied_by_alpha(tmp_path: Path) -> None:
    gray, alpha = np.array([[60, 0, 200]], dtype=np.uint8), np.array([[120, 0, 255]], dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.stack([gray, alpha], axis=-1)).save(file, format="TIFF")
    # Of the tag ExtraSamples, 2 means that the color is not multiplied by alpha, and 1 that it is.
    plain, multiplied = (struct.pack("<HHIH", 338, 3, 1, value) for value in (2, 1))
    assert file.getvalue().count(plain) == 1
    (tmp_path / "x.tiff").write_bytes(file.getvalue().replace(plain, multiplied))
    expected = gray + 255.0 - alpha
    assert np.abs(read_pixels(tmp_path / "x.tiff")[..., 0] - expected).max() <= 1


def test_tiff_of_sixteen_bits(tmp_path: Path) -> None:
    levels = np.array([[0, 257, 65535, 32768]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "x.tiff")
    assert read_pixels(tmp_path / "x.tiff")[..., 0].tolist() == [[0, 1, 255, 127]]


@pytest.mark.parametrize(
    ("dtype", "tags", "message"),
    [
        (np.float32, {}, "of 32 bits per sample"),
        (np.int32, {}, "of 32 bits per sample"),
        (np.uint16, {262: 0}, "in which 0 is white"),
    ],
)
def test_levels_of_unknown_scale_raise_data_error(
    tmp_path: Path, dtype: type[np.generic], tags: dict[int, int], message: str
) -> None:
    Image.fromarray(np.ones((HEIGHT, WIDTH), dtype=dtype)).save(tmp_path / "x.tiff", tiffinfo=tags)
    with pytest.raises(DataError, match=message) as caught:
        read_picture(tmp_path / "x.tiff")
    assert caught.value.remedy == "convert it to PNG"


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "tiff"])
def test_reads_and_reports_the_first_of_several_frames(tmp_path: Path, suffix: str) -> None:
    first, second = Image.new("L", (WIDTH, HEIGHT), 0), Image.new("L", (WIDTH, HEIGHT), 255)
    first.save(tmp_path / f"x.{suffix}", save_all=True, append_images=[second], **FORMATS[suffix])
    picture = read_picture(tmp_path / f"x.{suffix}")
    assert picture.has_more_frames
    assert not np.asarray(picture.image).any()


def test_photo_with_a_thumbnail_is_one_picture(tmp_path: Path) -> None:
    photo, thumbnail = Image.new("RGB", (64, 64)), Image.new("RGB", (8, 8), "white")
    photo.save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[thumbnail])
    assert not read_picture(tmp_path / "x.jpg").has_more_frames


def encoded(suffix: str) -> bytes:
    """Return a noisy picture as a file of a format."""
    file = io.BytesIO()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))
    noise.save(file, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **FORMATS.get(suffix, {}))
    return file.getvalue()


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tiff", "tif"])
def test_truncated_file_raises_data_error(tmp_path: Path, suffix: str) -> None:
    content = encoded(suffix)
    for length in (0, 3, 20, len(content) // 2, len(content) * 9 // 10):
        (tmp_path / f"x.{suffix}").write_bytes(content[:length])
        with pytest.raises(DataError, match="is not a whole picture"):
            read_picture(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tiff", "tif"])
def test_damaged_file_raises_data_error_or_is_read(tmp_path: Path, suffix: str) -> None:
    content, path, values = encoded(suffix), tmp_path / f"x.{suffix}", np.random.default_rng(0)
    for number in range(40):
        damaged = bytearray(content)
        for place in values.integers(0, 60 if number % 2 else len(damaged), 1 + number % 7).tolist():
            damaged[place] = values.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_picture(path)
        except DataError as error:
            assert str(path) in error.headline  # noqa: PT017  (no error is right too)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif"])
def test_picture_of_too_many_pixels_raises_data_error(tmp_path: Path, suffix: str) -> None:
    content = bytearray(encoded(suffix))
    offset, layout = {"png": (16, ">II"), "bmp": (18, "<ii"), "gif": (6, "<HH")}[suffix]
    struct.pack_into(layout, content, offset, 60_000, 60_000)
    if suffix == "png":
        content = bytearray(Png(8, GRAY, np.zeros((1, 1, 1), np.uint16)).encode())
        header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + content[24:29]
        content[12:33] = header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / f"x.{suffix}").write_bytes(content)
    with pytest.raises(DataError, match=r"more pixels than can be read safely|is not a whole picture"):
        read_picture(tmp_path / f"x.{suffix}")

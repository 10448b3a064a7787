"""What a user names is found and read, whatever kind of file it is, and told where it cannot be."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.base.errors import DataError
from components.example_gen.sources.image_folder import read_image
from components.inference.preprocessing.grayscale import resize_only, to_max_contrast
from components.inference.preprocessing.input_files import count_images, find_files
from components.inference.preprocessing.input_reader import InputImage, InputReader
from components.inference.preprocessing.normalize import normalize
from components.inference.preprocessing.preview import PreviewWriter, side_by_side
from tests.support.data import squares, write_csv, write_idx, write_idx_folder, write_image_folder
from tests.support.drawing import Drawing

DIGIT = Drawing(pen=0.12)


def look(path: Path, *, size: int = 28) -> list[InputImage]:
    sights = list(InputReader(size, size, normalize).read(path))
    assert all(isinstance(sight, InputImage) for sight in sights)
    return [sight for sight in sights if isinstance(sight, InputImage)]


def seen(path: Path) -> NDArray[np.uint8]:
    (sight,) = look(path)
    return sight.network_input


@pytest.mark.parametrize("gz", [False, True])
def test_images_of_the_models_size_that_are_bright_on_dark_are_left_as_they_are(tmp_path: Path, gz: bool) -> None:
    images, _ = squares(3000)  # more than are read at once
    path = tmp_path / f"some-idx3-ubyte{'.gz' if gz else ''}"
    write_idx(path, images)
    sights = look(path)
    np.testing.assert_array_equal(np.stack([sight.network_input for sight in sights]), images)
    assert [sight.row for sight in sights] == list(range(3000))


def test_a_grey_or_colour_picture_of_the_models_size_is_left_too(tmp_path: Path) -> None:
    (image,), _ = squares(1)
    for mode in ("L", "RGB"):
        Image.fromarray(image).convert(mode).save(tmp_path / "one.png")
        np.testing.assert_array_equal(seen(tmp_path / "one.png"), image)


def test_dark_on_light_and_other_sizes_of_an_idx_file_are_normalized(tmp_path: Path) -> None:
    drawn = np.stack([np.asarray(DIGIT.draw(digit).convert("L")) for digit in range(3)])
    write_idx(tmp_path / "drawn", drawn)
    for digit, sight in enumerate(look(tmp_path / "drawn")):
        np.testing.assert_array_equal(sight.network_input, normalize(drawn[digit], 28, 28))
    inverted = 255 - np.stack([sight.network_input for sight in look(tmp_path / "drawn")])
    write_idx(tmp_path / "inverted", inverted)
    for image, sight in zip(inverted, look(tmp_path / "inverted"), strict=True):
        assert sight.network_input.mean() < 128 < image.mean()


@pytest.mark.parametrize("labelled", [True, False])
def test_kaggles_csv_is_read_with_its_labels_or_without(tmp_path: Path, labelled: bool) -> None:
    path = write_csv(tmp_path / "digits.csv", size=28)
    if not labelled:
        path.write_text("\n".join(line.partition(",")[2] for line in path.read_text().splitlines()) + "\n")
    np.testing.assert_array_equal(np.stack([sight.network_input for sight in look(path)]), squares(60)[0])
    assert count_images([path]) == 60


def test_orientation_transparency_and_depth_are_heeded(tmp_path: Path) -> None:
    picture = DIGIT.draw(4)
    plain = normalize(np.asarray(picture), 28, 28)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    ink = Image.new("RGBA", picture.size)
    ink.putalpha(Image.fromarray(255 - np.asarray(picture.convert("L"))))
    ink.save(tmp_path / "transparent.png")
    ink.convert("LA").save(tmp_path / "grey.png")
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("turned", "transparent", "grey", "deep"):
        assert np.abs(seen(tmp_path / f"{name}.png").astype(int) - plain).max() <= 2, name


def test_a_large_jpeg_photo_is_seen_as_its_small_drawing(tmp_path: Path) -> None:
    Drawing(pen=0.12, canvas=(1000, 1000)).draw(2).resize((4000, 4000)).save(tmp_path / "photo.jpeg")
    (sight,) = look(tmp_path / "photo.jpeg")
    small = normalize(np.asarray(DIGIT.draw(2)), 28, 28)
    assert np.abs(sight.network_input.astype(int) - small).sum() < 0.1 * (sight.network_input.astype(int) + small).sum()
    assert max(sight.original.shape) <= 1000


def test_a_folder_is_searched_in_order_for_images_and_not_for_labels_or_tables(tmp_path: Path) -> None:
    write_image_folder(tmp_path / "b", per_class=1)
    write_idx_folder(tmp_path / "a", gz=True)
    write_csv(tmp_path / "about.csv")
    (tmp_path / ".hidden").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / ".hidden" / "x.png")
    files = [path for path in find_files(tmp_path) if isinstance(path, Path)]
    names = [str(path.relative_to(tmp_path)) for path in files]
    assert names == [
        *("a/t10k-images-idx3-ubyte.gz", "a/train-images-idx3-ubyte.gz"),
        *("b/0/0.png", "b/1/1.png", "b/2/2.png"),
    ]
    assert count_images(files) == 303


def missing(path: Path) -> Path:
    return path / "nowhere.png"


def text(path: Path) -> Path:
    (path / "notes.txt").write_text("seven")
    return path / "notes.txt"


def text_called_png(path: Path) -> Path:
    (path / "x.png").write_text("seven")
    return path / "x.png"


def labels(path: Path) -> Path:
    return write_idx_folder(path) / "train-labels-idx1-ubyte"


def broken_gzip(path: Path) -> Path:
    (path / "x.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + bytes(500))[:-9])
    return path / "x.gz"


def too_long(path: Path) -> Path:
    write_idx(path / "x", squares(3)[0])
    (path / "x").write_bytes((path / "x").read_bytes() + b"\0")
    return path / "x"


def endless(path: Path) -> Path:
    (path / "x.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3))
    return path / "x.gz"


def not_square(path: Path) -> Path:
    (path / "x.csv").write_text("label,a,b\n1,2,3\n")
    return path / "x.csv"


def hexadecimal(path: Path) -> Path:
    (path / "x.csv").write_text("a,b,c,d\n0x10,2,3,4\n")
    return path / "x.csv"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing, "does not exist"),
        (text, "has an unsupported format"),
        (text_called_png, "is not a whole PNG or JPEG image"),
        (labels, "is not an IDX file of 3-dimensional"),
        (broken_gzip, "x.gz"),
        (too_long, " bytes of data, but has "),
        (endless, "states images of"),
        (not_square, "has 2 pixel columns"),
        (hexadecimal, "column `a` holds '0x10'"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, spoil: Callable[[Path], Path], says: str) -> None:
    with pytest.raises(DataError) as told:
        look(spoil(tmp_path))
    assert says in told.value.headline
    assert "\n" not in told.value.headline


def test_a_file_that_is_cut_short_gives_what_it_has_and_then_its_error(tmp_path: Path) -> None:
    write_idx(tmp_path / "whole", squares(5)[0])
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut.gz").write_bytes(gzip.compress(content[:-100]))
    rows: list[int | None] = []
    with pytest.raises(DataError, match="states 5x28x28 bytes"):
        rows.extend(
            sight.row
            for sight in InputReader(28, 28, normalize).read(tmp_path / "cut.gz")
            if isinstance(sight, InputImage)
        )
    assert rows == [0, 1, 2, 3]


def test_an_image_without_ink_is_told_by_its_row_and_the_next_ones_are_read(tmp_path: Path) -> None:
    images = squares(3)[0]
    images[1] = 255
    write_idx(tmp_path / "some", images)
    first, second, third = InputReader(28, 28, normalize).read(tmp_path / "some")
    assert isinstance(second, DataError)
    assert "some, row 1, shows no digit" in second.headline
    assert [sight.row for sight in (first, third) if isinstance(sight, InputImage)] == [0, 2]


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "RGBA"])
def test_as_it_is_an_image_is_only_resized_as_for_training(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "six.png"
    picture = DIGIT.draw(6).convert(mode)
    if mode == "RGBA":  # black ink on what is clear
        picture = Image.new("RGBA", picture.size)
        picture.putalpha(Image.fromarray(255 - np.asarray(DIGIT.draw(6).convert("L"))))
    picture.save(path)
    (sight,) = InputReader(28, 28, resize_only).read(path)
    assert isinstance(sight, InputImage)
    np.testing.assert_array_equal(sight.network_input, read_image(path, 28))
    assert sight.network_input.mean() > 128, "the paper is white"


def test_a_damaged_exif_block_does_not_keep_a_picture_from_being_read(tmp_path: Path) -> None:
    picture = DIGIT.draw(5)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "maker", 6  # to be turned clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "whole.jpg", exif=exif)
    damaged = bytearray((tmp_path / "whole.jpg").read_bytes())
    place = damaged.index(b"\x01\x0f", damaged.index(b"Exif")) + 1
    damaged[place] = 0  # what was its maker is now its width, of which letters make no number
    (tmp_path / "damaged.jpg").write_bytes(damaged)
    for name in ("whole", "damaged"):
        assert np.abs(seen(tmp_path / f"{name}.jpg").astype(int) - normalize(np.asarray(picture), 28, 28)).max() < 40


def test_a_scan_of_one_bit_keeps_its_thin_strokes(tmp_path: Path) -> None:
    drawn = Drawing(pen=0.012, canvas=(2400, 2400)).draw(3).convert("L").point(lambda grey: 255 * (grey > 128))
    drawn.save(tmp_path / "grey.png")
    drawn.convert("1").save(tmp_path / "bit.png")
    of_bits, of_greys = (seen(tmp_path / f"{name}.png").astype(int) for name in ("bit", "grey"))
    assert np.abs(of_bits - of_greys).max() <= 2


def test_a_picture_of_greys_is_the_same_grey_in_three_channels() -> None:
    grey = np.asarray(DIGIT.draw(2).convert("L"))
    of_three = to_max_contrast(np.stack([grey] * 3, axis=-1))
    apart = of_three - of_three[0, 0]
    assert np.abs(np.abs(apart) - np.abs(grey.astype(float) - grey[0, 0])).max() < 0.01


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        DIGIT.draw(1).save(tmp_path / name / "1.png")
    scandir = os.scandir

    def refusing(path: object) -> object:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refusing)
    found = find_files(tmp_path)
    assert [path for path in found if isinstance(path, Path)] == [tmp_path / "a" / "1.png", tmp_path / "c" / "1.png"]
    (refusal,) = (path for path in found if isinstance(path, DataError))
    assert str(tmp_path / "b") in refusal.headline


def test_a_table_without_rows_is_told_and_one_with_a_bad_cell_says_what_is_lost(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "digits.csv", size=28)
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n")
    with pytest.raises(DataError, match="has a header but no rows"):
        list(InputReader(28, 28, normalize).read(path))
    path.write_text("\n".join([*lines[:-1], lines[-1].rpartition(",")[0] + ",999"]) + "\n")
    with pytest.raises(DataError, match="the images from row 0 on are skipped"):
        list(InputReader(28, 28, normalize).read(path))


def test_a_strip_or_a_long_name_can_be_shown(tmp_path: Path) -> None:
    strip = np.zeros((1, 5000), dtype=np.uint8)
    PreviewWriter(tmp_path).write(InputImage(Path("x" * 250), 3, strip, np.zeros((28, 28), dtype=np.uint8)), "7", 0.5)
    (shown,) = tmp_path.iterdir()
    with Image.open(shown) as picture:
        assert picture.width < 3000


def test_what_was_given_stands_beside_what_was_seen(tmp_path: Path) -> None:
    (image,), _ = squares(1)
    picture = side_by_side(np.asarray(DIGIT.draw(1)), image)
    assert picture.shape == (280, 280 + 20 + 280, 3)
    np.testing.assert_array_equal(picture[5::10, 305::10, 0], image)
    album = PreviewWriter(tmp_path)
    for folder in ("a", "b"):
        album.write(InputImage(Path(folder, "x.png"), None, image, image), "7", 0.5)
    album.write(InputImage(Path("t10k.gz"), 12, image, image), "1/2", 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("t10k-000012_1_2_1.000.png", "x-2_7_0.500.png", "x_7_0.500.png"),
    ]

"""Input files of predict: search, formats, preprocessing, previews, and invalid files."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.base.errors import DataError
from components.example_gen.sources import ImageFolderSource
from components.inference.preprocessing.grayscale import to_max_contrast
from components.inference.preprocessing.input_files import count_images, find_files
from components.inference.preprocessing.input_reader import InputImage, InputReader
from components.inference.preprocessing.normalize import normalize
from components.inference.preprocessing.preview import PreviewWriter, side_by_side
from components.inference.preprocessing.resize import resize_color, resize_grayscale
from components.io.picture_folder import SkippedFiles
from tests.support.data import load, squares, write_csv, write_idx, write_idx_folder, write_image_folder
from tests.support.drawing import Drawing

DIGIT = Drawing(pen=0.12)


def read_all(path: Path, *, size: int = 28) -> list[InputImage]:
    images = list(InputReader(size, size, normalize).read(path))
    assert all(isinstance(image, InputImage) for image in images)
    return [image for image in images if isinstance(image, InputImage)]


def read_one(path: Path) -> NDArray[np.uint8]:
    (image,) = read_all(path)
    return image.network_input


@pytest.mark.parametrize("gz", [False, True])
def test_keeps_bright_on_dark_images_of_the_models_size(tmp_path: Path, gz: bool) -> None:
    images, _ = squares(3000)  # more than are read at once
    path = tmp_path / f"some-idx3-ubyte{'.gz' if gz else ''}"
    write_idx(path, images)
    inputs = read_all(path)
    np.testing.assert_array_equal(np.stack([image.network_input for image in inputs]), images)
    assert [image.row for image in inputs] == list(range(3000))


def test_keeps_pictures_of_the_models_size(tmp_path: Path) -> None:
    (image,), _ = squares(1)
    for mode in ("L", "RGB"):
        Image.fromarray(image).convert(mode).save(tmp_path / "one.png")
        np.testing.assert_array_equal(read_one(tmp_path / "one.png"), image)


def test_normalizes_other_images_of_idx_files(tmp_path: Path) -> None:
    drawn = np.stack([np.asarray(DIGIT.draw(digit).convert("L")) for digit in range(3)])
    write_idx(tmp_path / "drawn", drawn)
    for digit, image in enumerate(read_all(tmp_path / "drawn")):
        np.testing.assert_array_equal(image.network_input, normalize(drawn[digit], 28, 28))
    inverted = 255 - np.stack([image.network_input for image in read_all(tmp_path / "drawn")])
    write_idx(tmp_path / "inverted", inverted)
    for raw, image in zip(inverted, read_all(tmp_path / "inverted"), strict=True):
        assert image.network_input.mean() < 128 < raw.mean()


@pytest.mark.parametrize("labelled", [True, False])
def test_reads_kaggles_csv_with_or_without_labels(tmp_path: Path, labelled: bool) -> None:
    path = write_csv(tmp_path / "digits.csv", size=28)
    if not labelled:
        path.write_text("\n".join(line.partition(",")[2] for line in path.read_text().splitlines()) + "\n")
    np.testing.assert_array_equal(np.stack([image.network_input for image in read_all(path)]), squares(60)[0])
    assert count_images([path]) == 60


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda rows: [f"label,{','.join(map(str, range(784)))}", *rows],
        lambda rows: rows,
        lambda rows: [row.partition(",")[2] for row in rows],
        lambda rows: [f"{','.join(map(str, range(784)))}", *(row.partition(",")[2] for row in rows)],
        lambda rows: [
            f"{','.join(map(str, range(784)))},Class",
            *(f"{row.partition(',')[2]},{row.partition(',')[0]}" for row in rows),
        ],
        lambda rows: [row.replace(",", ".0;") for row in rows],
    ],
    ids=["label", "no header", "no label or header", "no label", "class last", "semicolons"],
)
def test_reads_csv_of_other_programs(tmp_path: Path, rewrite: Callable[[list[str]], list[str]]) -> None:
    rows = write_csv(tmp_path / "kaggle.csv", size=28, count=4).read_text().splitlines()[1:]
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress("\n".join(rewrite(rows)).encode()))
    np.testing.assert_array_equal(np.stack([image.network_input for image in read_all(path)]), squares(4)[0])
    assert count_images([path]) == 4


def test_applies_orientation_transparency_and_depth(tmp_path: Path) -> None:
    picture = DIGIT.draw(4)
    plain = normalize(np.asarray(picture), 28, 28)
    exif = Image.Exif()
    exif[0x0112] = 6  # clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "rotated.png", exif=exif)
    ink = Image.new("RGBA", picture.size)
    ink.putalpha(Image.fromarray(255 - np.asarray(picture.convert("L"))))
    ink.save(tmp_path / "transparent.png")
    ink.convert("LA").save(tmp_path / "gray.png")
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("rotated", "transparent", "gray", "deep"):
        assert np.abs(read_one(tmp_path / f"{name}.png").astype(int) - plain).max() <= 2, name


def test_large_jpeg_photo_equals_its_small_drawing(tmp_path: Path) -> None:
    Drawing(pen=0.12, canvas=(1000, 1000)).draw(2).resize((4000, 4000)).save(tmp_path / "photo.jpeg")
    (image,) = read_all(tmp_path / "photo.jpeg")
    small = normalize(np.asarray(DIGIT.draw(2)), 28, 28)
    assert np.abs(image.network_input.astype(int) - small).sum() < 0.1 * (image.network_input.astype(int) + small).sum()
    assert max(image.original.shape) <= 1000


def test_finds_images_in_folders_but_no_labels_or_csv_files(tmp_path: Path) -> None:
    write_image_folder(tmp_path / "b", per_class=1)
    write_idx_folder(tmp_path / "a", gz=True)
    write_csv(tmp_path / "about.csv")
    (tmp_path / ".hidden").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / ".hidden" / "x.png")
    files = [path for path in find_files(tmp_path, SkippedFiles()) if isinstance(path, Path)]
    names = [str(path.relative_to(tmp_path)) for path in files]
    assert names == [
        *("a/t10k-images-idx3-ubyte.gz", "a/train-images-idx3-ubyte.gz"),
        *("b/0/0.png", "b/1/1.png", "b/2/2.png"),
    ]
    assert count_images(files) == 303


def write(name: str, content: bytes) -> Callable[[Path], Path]:
    """Return a function that writes a file to a folder and returns its path."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def too_long(folder: Path) -> Path:
    write_idx(folder / "x", squares(3)[0])
    return write("x", (folder / "x").read_bytes() + b"\0")(folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere.png", "does not exist"),
        (write("notes.txt", b"seven"), "has an unsupported format"),
        (write("x.png", b"seven"), "is not a whole picture"),
        (lambda folder: write_idx_folder(folder) / "train-labels-idx1-ubyte", "is not an IDX file of 3-dimensional"),
        (write("x.gz", gzip.compress(b"\0\0\x08\x03" + bytes(500))[:-9]), "x.gz"),
        (too_long, " bytes of data, but has "),
        (write("x.gz", gzip.compress(b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3)), "states images of"),
        (write("x.csv", b"label,a,b\n1,2,3\n"), "has 2 pixel columns"),
        (write("x.csv", b"a,b,c,d\n0x10,2,3,4\n"), "column `a` holds '0x10'"),
    ],
)
def test_unreadable_file_raises_one_sentence(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_all(make(tmp_path))
    assert message in caught.value.headline
    assert "\n" not in caught.value.headline


def test_truncated_file_yields_its_images_before_the_error(tmp_path: Path) -> None:
    write_idx(tmp_path / "whole", squares(5)[0])
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut.gz").write_bytes(gzip.compress(content[:-100]))
    rows: list[int | None] = []
    with pytest.raises(DataError, match="states 5x28x28 bytes"):
        rows.extend(
            image.row
            for image in InputReader(28, 28, normalize).read(tmp_path / "cut.gz")
            if isinstance(image, InputImage)
        )
    assert rows == [0, 1, 2, 3]


def test_image_without_ink_yields_an_error_with_its_row(tmp_path: Path) -> None:
    images = squares(3)[0]
    images[1] = 255
    write_idx(tmp_path / "some", images)
    first, second, third = InputReader(28, 28, normalize).read(tmp_path / "some")
    assert isinstance(second, DataError)
    assert "some, row 1, shows no digit" in second.headline
    assert [image.row for image in (first, third) if isinstance(image, InputImage)] == [0, 2]


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "RGBA"])
def test_resize_only_matches_the_training_source(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "6" / "six.png"
    path.parent.mkdir()
    (tmp_path / "0").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "0" / "empty.png")
    picture = DIGIT.draw(6).convert(mode)
    if mode == "RGBA":  # black ink on a transparent background
        picture = Image.new("RGBA", picture.size)
        picture.putalpha(Image.fromarray(255 - np.asarray(DIGIT.draw(6).convert("L"))))
    picture.save(path)
    (image,) = InputReader(28, 28, resize_grayscale).read(path)
    assert isinstance(image, InputImage)
    source = load(ImageFolderSource(path=tmp_path, channels=1))
    np.testing.assert_array_equal(image.network_input, source.train.images[1])
    assert image.network_input.mean() > 128, "the paper is white"


def test_color_model_gets_the_colors_of_every_format(tmp_path: Path) -> None:
    colors = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    colors[:, 2:5, 2:5] = np.random.default_rng(0).integers(128, 256, (3, 3, 3, 3))  # bright on dark
    Image.fromarray(colors[0]).save(tmp_path / "x.png")
    write_idx(tmp_path / "x-idx4-ubyte", colors)
    table = [[label, *image.ravel()] for label, image in enumerate(colors)]
    np.savetxt(tmp_path / "x.csv", table, fmt="%d", delimiter=",")
    reader = InputReader(8, 8, resize_color, channels=3)
    for name, expected in (("x.png", colors[:1]), ("x-idx4-ubyte", colors), ("x.csv", colors)):
        images = [*reader.read(tmp_path / name)]
        for image, color in zip(images, expected, strict=True):
            assert isinstance(image, InputImage)
            np.testing.assert_array_equal(image.network_input, color)
        resized = InputReader(4, 4, resize_color, channels=3).read(tmp_path / name)
        assert {image.network_input.shape for image in resized if isinstance(image, InputImage)} == {(4, 4, 3)}


def test_images_get_the_channels_of_the_model(tmp_path: Path) -> None:
    gray = squares(2)[0]
    color = np.stack([gray, gray // 2, gray // 3], axis=-1)
    write_idx(tmp_path / "gray", gray)
    write_idx(tmp_path / "color", color)
    for image, original in zip(InputReader(28, 28, resize_color, 3).read(tmp_path / "gray"), gray, strict=True):
        assert isinstance(image, InputImage)
        np.testing.assert_array_equal(image.network_input, np.stack([original] * 3, axis=-1))
    for image, original in zip(InputReader(28, 28, resize_grayscale).read(tmp_path / "color"), color, strict=True):
        assert isinstance(image, InputImage)
        np.testing.assert_array_equal(image.network_input, np.asarray(Image.fromarray(original).convert("L")))
        assert side_by_side(image.original, image.network_input).shape[2] == 3


def test_reads_picture_with_damaged_exif_block(tmp_path: Path) -> None:
    picture = DIGIT.draw(5)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "maker", 6  # clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "whole.jpg", exif=exif)
    damaged = bytearray((tmp_path / "whole.jpg").read_bytes())
    place = damaged.index(b"\x01\x0f", damaged.index(b"Exif")) + 1
    damaged[place] = 0  # turns the maker, a text, into the width, a number
    (tmp_path / "damaged.jpg").write_bytes(damaged)
    for name in ("whole", "damaged"):
        assert (
            np.abs(read_one(tmp_path / f"{name}.jpg").astype(int) - normalize(np.asarray(picture), 28, 28)).max() < 40
        )


def test_scan_of_one_bit_keeps_thin_strokes(tmp_path: Path) -> None:
    drawn = Drawing(pen=0.012, canvas=(1200, 1200)).draw(3).convert("L").point(lambda gray: 255 * (gray > 128))
    drawn.save(tmp_path / "gray.png")
    drawn.convert("1").save(tmp_path / "bit.png")
    of_bits, of_grays = (read_one(tmp_path / f"{name}.png").astype(int) for name in ("bit", "gray"))
    assert np.abs(of_bits - of_grays).max() <= 2


def test_gray_picture_keeps_its_levels_in_three_channels() -> None:
    gray = np.asarray(DIGIT.draw(2).convert("L"))
    of_three = to_max_contrast(np.stack([gray] * 3, axis=-1))
    offsets = of_three - of_three[0, 0]
    assert np.abs(np.abs(offsets) - np.abs(gray.astype(float) - gray[0, 0])).max() < 0.01


def test_unreadable_folder_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        DIGIT.draw(1).save(tmp_path / name / "1.png")
    scandir = os.scandir

    def refusing(path: object) -> object:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refusing)
    found = find_files(tmp_path, SkippedFiles())
    assert [path for path in found if isinstance(path, Path)] == [tmp_path / "a" / "1.png", tmp_path / "c" / "1.png"]
    (refusal,) = (path for path in found if isinstance(path, DataError))
    assert str(tmp_path / "b") in refusal.headline


def test_csv_errors_for_no_rows_and_invalid_cells(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "digits.csv", size=28)
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n")
    with pytest.raises(DataError, match="has a header but no rows"):
        list(InputReader(28, 28, normalize).read(path))
    path.write_text("\n".join([*lines[:-1], lines[-1].rpartition(",")[0] + ",999"]) + "\n")
    with pytest.raises(DataError, match="line 61, column `pixel783` holds '999'"):
        list(InputReader(28, 28, normalize).read(path))


def test_previews_strips_and_long_file_names(tmp_path: Path) -> None:
    strip = np.zeros((1, 5000), dtype=np.uint8)
    PreviewWriter(tmp_path).write(InputImage(Path("x" * 250), 3, strip, np.zeros((28, 28), dtype=np.uint8)), "7", 0.5)
    (shown,) = tmp_path.iterdir()
    with Image.open(shown) as picture:
        assert picture.width < 3000


def test_preview_shows_original_beside_network_input(tmp_path: Path) -> None:
    (image,), _ = squares(1)
    picture = side_by_side(np.asarray(DIGIT.draw(1)), image)
    assert picture.shape == (280, 280 + 20 + 280, 3)
    np.testing.assert_array_equal(picture[5::10, 305::10, 0], image)
    writer = PreviewWriter(tmp_path)
    for folder in ("a", "b"):
        writer.write(InputImage(Path(folder, "x.png"), None, image, image), "7", 0.5)
    writer.write(InputImage(Path("t10k.gz"), 12, image, image), "1/2", 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("t10k-000012_1_2_1.000.png", "x-2_7_0.500.png", "x_7_0.500.png")
    ]

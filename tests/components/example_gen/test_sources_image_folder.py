"""The image-folder source: one folder per class, of pictures of any format, size and mode."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.base.errors import DataError
from components.example_gen.sources import ImageFolderSource
from tests.support.data import load, write_image_folder
from tests.support.users import folder_for_all, ordinary_user


def test_reads_one_class_per_folder(tmp_path: Path) -> None:
    dataset = load(ImageFolderSource(path=write_image_folder(tmp_path, size=12), size=12))
    assert dataset.class_names == ("0", "1", "2")
    assert np.bincount(dataset.train.labels).tolist() == [8, 8, 8]
    np.testing.assert_array_equal(dataset.train.images[0], np.asarray(Image.open(tmp_path / "0" / "0.png")))


def test_resizes_any_size_and_converts_to_grayscale(tmp_path: Path) -> None:
    write_image_folder(tmp_path)
    Image.new("RGB", (100, 50), (255, 0, 0)).save(tmp_path / "0" / "red.jpeg", quality=100)
    Image.fromarray(np.full((5, 5), 40_000, dtype=np.uint16)).save(tmp_path / "0" / "deep.PNG")
    dataset = load(ImageFolderSource(path=tmp_path, size=28, channels=1))
    means = {round(float(image.mean())) for image in dataset.train.images if np.ptp(image) <= 2}
    assert dataset.train.images.shape == (26, 28, 28)
    assert 76 in means, "pure red is 0.299 of 255 (ITU-R 601)"
    assert 155 in means, "16 bits are scaled to 8, not clipped"


def test_sorts_numbers_by_value_before_names(tmp_path: Path) -> None:
    for name in ("10", "9", "b", "a"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "x.png")
    assert load(ImageFolderSource(path=tmp_path, size=4)).class_names == ("9", "10", "a", "b")


def test_test_folder_is_the_test_set(tmp_path: Path) -> None:
    train, test = write_image_folder(tmp_path / "train"), write_image_folder(tmp_path / "test", per_class=2)
    dataset = load(ImageFolderSource(path=train, test_path=test, size=12))
    assert dataset.test is not None
    assert len(dataset.test) == 6
    (test / "extra").mkdir()
    Image.new("L", (4, 4)).save(test / "extra" / "x.png")
    with pytest.raises(DataError, match="do not have the same classes: extra"):
        load(ImageFolderSource(path=train, test_path=test))


LEFT_BY_SYSTEMS = [
    *("lost+found/", "__MACOSX/0/._0.png", "@eaDir/0.png", ".ipynb_checkpoints/0-checkpoint.png", ".DS_Store"),
    *("Thumbs.db", "desktop.ini", "0/.DS_Store", "0/._0.png", "1/._1.png", "1/Thumbs.db", "1/@eaDir/x.png"),
]


def test_skips_and_counts_what_systems_leave(tmp_path: Path) -> None:
    write_image_folder(tmp_path)
    for name in LEFT_BY_SYSTEMS:
        path = tmp_path / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(b"content")
    dataset = load(ImageFolderSource(path=tmp_path))
    assert dataset.class_names == ("0", "1", "2")
    assert len(dataset.train) == 24
    names = ".DS_Store (2), ._* (2), @eaDir (2), Thumbs.db (2), .ipynb_checkpoints, __MACOSX, desktop.ini, lost+found"
    assert dataset.warnings == [f"{tmp_path}: skipped 12 files and folders: {names}"]


def test_skips_and_counts_files_of_other_types(tmp_path: Path) -> None:
    write_image_folder(tmp_path)
    for name in ("labels.csv", "0/a.txt", "0/b.txt", "0/README", "1/evil\x1b[2J.\u202eexe"):
        (tmp_path / name).write_text("content")
    (tmp_path / "1" / "folder.png").mkdir()
    (warning,) = load(ImageFolderSource(path=tmp_path)).warnings
    assert warning.endswith(r"6 files and folders: *.txt (2), *.csv, *.png, *.\u202eexe, README")


def test_names_at_most_ten_kinds_of_skipped_files(tmp_path: Path) -> None:
    write_image_folder(tmp_path)
    for number in range(12):
        (tmp_path / "0" / f"x.{number:02}").touch()
    (warning,) = load(ImageFolderSource(path=tmp_path)).warnings
    assert warning.endswith(
        "skipped 12 files and folders: " + ", ".join(f"*.{n:02}" for n in range(10)) + ", and 2 other names"
    )


def test_folder_without_permission_may_be_skipped(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = write_image_folder(folder_for_all(tmp_path_factory))
    (root / "lost+found").mkdir(mode=0o000)
    with ordinary_user():
        assert load(ImageFolderSource(path=root)).class_names == ("0", "1", "2")
    (root / "3").mkdir(mode=0o000)
    with ordinary_user(), pytest.raises(DataError, match=f"no permission to read {root / '3'}"):
        load(ImageFolderSource(path=root))


def test_reads_other_formats_and_reports_first_frames(tmp_path: Path) -> None:
    levels = [Image.new("L", (4, 4), level) for level in (30, 60, 90, 120)]
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
    levels[0].save(tmp_path / "0" / "a.bmp")
    levels[1].save(tmp_path / "0" / "b.webp", lossless=True)
    levels[2].save(tmp_path / "0" / "c.TIFF")
    levels[3].save(tmp_path / "1" / "d.gif", save_all=True, append_images=[levels[0]])
    levels[0].save(tmp_path / "1" / "e.png", save_all=True, append_images=[levels[1]])
    dataset = load(ImageFolderSource(path=tmp_path, size=4))
    assert dataset.train.images[:, 0, 0].tolist() == [30, 60, 90, 120, 30]
    assert dataset.warnings == [
        f"2 pictures, such as {tmp_path / '1' / 'd.gif'}, have several frames; only the first is read"
    ]


def empty_root(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()


def empty_class(root: Path) -> None:
    (root / "3").mkdir()


def text_as_png(root: Path) -> None:
    (root / "0" / "0.png").write_text("not an image")


def truncated_png(root: Path) -> None:
    path = root / "0" / "0.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:1500])


def empty_png(root: Path) -> None:
    (root / "0" / "0.png").write_bytes(b"")


def icon_as_png(root: Path) -> None:
    Image.new("L", (16, 16)).save(root / "0" / "0.png", format="ICO")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (empty_root, "has 0 class folders"),
        (empty_class, "has no picture"),
        (text_as_png, "0.png is not a whole picture"),
        (truncated_png, "0.png is not a whole picture"),
        (empty_png, "0.png is not a whole picture"),
        (icon_as_png, "0.png is not a whole picture"),
    ],
)
def test_invalid_folder_raises_one_sentence(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(write_image_folder(tmp_path))
    with pytest.raises(DataError) as caught:
        load(ImageFolderSource(path=tmp_path))
    assert message in caught.value.headline
    assert "\n" not in caught.value.headline


def test_missing_folder_raises_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(ImageFolderSource(path=tmp_path / "nowhere"))


def test_names_with_any_character_do_not_collide(tmp_path: Path) -> None:
    """Written as lines of names and digests, the first two folders were the same."""
    write_image_folder(tmp_path / "any", classes=2, per_class=1)
    picture = (tmp_path / "any/0/0.png").read_bytes()
    digest = hashlib.sha256(picture).hexdigest()
    identities = []
    for number, files in enumerate(
        (
            ("a/p.png", f"q.png:{digest}\nr/e.png"),
            (f"a/p.png:{digest}\nq.png", "r/e.png"),
            ("a/p.png", "r/e.png"),
            ("a/p.png", "r/\u00ff.png"),
            ("a/p.png", os.fsdecode(b"r/\xff.png")),
        )
    ):
        for name in files:
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True)
            path.write_bytes(picture)
        try:
            identities.append(ImageFolderSource(path=tmp_path / str(number)).identity()["train"])
        except DataError as error:
            identities.append(error.headline)
    assert len(set(identities)) == len(identities)
    assert "control character" in identities[0]
    assert "is not UTF-8" in identities[-1]

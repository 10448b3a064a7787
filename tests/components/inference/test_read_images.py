"""Reading several files from any position yields the images that are left."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.inference.preprocessing.input_files import UnreadableError, find_inputs
from components.inference.preprocessing.input_reader import InputReader
from components.inference.preprocessing.normalize import normalize
from components.inference.preprocessing.observer import NoObserver
from components.inference.preprocessing.read_images import Position, read_images
from tests.support.data import write_idx

SIDE = 32
"""Height and width of the images."""
Read = list[tuple[Path, int | None, bytes]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path | UnreadableError]:
    """Return pictures, IDX files and a CSV file: whole ones, truncated ones, and images that show nothing."""
    random = np.random.default_rng(0)
    images = random.integers(0, 50, (7, SIDE, SIDE), dtype=np.uint8)
    images[:, 8:24, 14:18] += 200
    images[3] = 200
    write_idx(tmp_path / "some-idx3-ubyte", images)
    write_idx(tmp_path / "some.gz", np.repeat(images[:2], 1_000, axis=0))
    content = (tmp_path / "some.gz").read_bytes()
    (tmp_path / "cut.gz").write_bytes(content[: len(content) * 9 // 10])
    rows = [",".join(map(str, image.reshape(-1))) for image in images]
    (tmp_path / "rows.csv").write_text("\n".join([*rows, "1,2,3"]) + "\n")
    Image.fromarray(images[0]).save(tmp_path / "one.png")
    (tmp_path / "bad.png").write_text("no picture")
    names = ("one.png", "nowhere.png", "some-idx3-ubyte", "bad.png", "cut.gz", "rows.csv", "one.png")
    return find_inputs([tmp_path / name for name in names], warn=lambda _: None)


def read(files: list[Path | UnreadableError], start: Position) -> tuple[Read, list[Position]]:
    images: Read = []
    positions = []
    for image, position in read_images(files, InputReader(SIDE, SIDE, normalize), NoObserver(), start):
        content = image.reason.encode() if isinstance(image, UnreadableError) else image.network_input.tobytes()
        images.append((image.path, image.row, content))
        positions.append(position)
    return images, positions


def test_continues_at_any_position(files: list[Path | UnreadableError]) -> None:
    images, positions = read(files, Position())
    errors = [content.decode() for _, _, content in images if len(content) != SIDE**2]
    assert errors[0] == "does not exist"
    assert any("shows no digit" in reason for reason in errors)
    assert any("broken gzip" in reason for reason in errors)
    assert len(images) > 1_000, "the beginning of the truncated file is read"
    for index in (*range(12), 500, *range(len(images) - 12, len(images))):
        assert read(files, positions[index])[0] == images[index + 1 :], positions[index]

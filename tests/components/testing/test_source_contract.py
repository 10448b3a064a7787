"""The contract of sources: the built-in sources pass it, and it finds a source that does not keep it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import ImageSource
from components.testing import SourceContract
from tests.support.data import squares, write_csv, write_idx_folder, write_image_folder


class Squares(ImageSource):
    """Squares at different places, in two batches."""

    def __init__(self, count: int = 40) -> None:
        self.count = count

    def identity(self) -> dict[str, str]:
        return {}

    def batches(self) -> Iterator[tuple[Any, Any]]:
        images, labels = squares(self.count, size=12)
        yield images[:30], labels[:30]
        yield images[30:], labels[30:]


class TestSquares(SourceContract):
    source = Squares


class TestDigits(SourceContract):
    source = {"kind": "digits", "size": 8}


class TestIdx(SourceContract):
    @classmethod
    def make_source(cls, folder: Path) -> Any:
        return {"kind": "idx", "path": str(write_idx_folder(folder / "idx", train=30, test=20))}


class TestCsv(SourceContract):
    @classmethod
    def make_source(cls, folder: Path) -> Any:
        return {"kind": "csv", "path": str(write_csv(folder / "train.csv", count=20))}


class TestImageFolder(SourceContract):
    @classmethod
    def make_source(cls, folder: Path) -> Any:
        return {"kind": "image_folder", "path": str(write_image_folder(folder / "pictures", per_class=2)), "size": 8}


class TestParquet(SourceContract):
    @classmethod
    def make_source(cls, folder: Path) -> Any:
        images, labels = squares(30, classes=3, size=8)
        for name in ("train", "test"):
            pq.write_table(pa.table({"image": images.tolist(), "label": labels}), folder / f"{name}.parquet")
        return {"kind": "parquet", "path": str(folder)}


class Random(Squares):
    def batches(self) -> Iterator[tuple[Any, Any]]:
        yield np.random.default_rng().integers(0, 256, (10, 8, 8), dtype=np.uint8), range(10)


class Counting(Squares):
    reads = 0

    def identity(self) -> dict[str, str]:
        Counting.reads += 1
        return {"reads": str(Counting.reads)}


class WithoutImagesOfAClass(Squares):
    class_names = [str(number) for number in range(11)]


class AnyOption(Squares):
    def __init__(self, **options: Any) -> None:  # noqa: ARG002
        super().__init__()


@pytest.mark.parametrize(
    ("source", "test"),
    [
        (Random, SourceContract.test_reading_again_gives_the_same_data),
        (Counting, SourceContract.test_its_identity_is_text_and_outlasts_reading),
        (WithoutImagesOfAClass, SourceContract.test_each_class_has_a_name_and_images),
        (AnyOption, SourceContract.test_its_config_rejects_an_unknown_key),
    ],
)
def test_contract_finds_a_broken_source(source: type[ImageSource], test: Any, tmp_path: Path) -> None:
    contract = type("Broken", (SourceContract,), {"source": source})()
    with pytest.raises(AssertionError):
        test(contract, tmp_path)

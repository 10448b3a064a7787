"""The Parquet source: three forms of images, files of splits, and invalid files."""

import io
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from components import Context
from components.base.errors import DataError
from components.example_gen import ExampleGen, ExampleGenConfig
from components.example_gen.sources import ParquetSource
from tests.support.data import load, squares

IMAGES, LABELS = squares(30, classes=3, size=8)
COLORS = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
NAMES = ["cat", "dog", "bird"]


def encode(image: NDArray[np.uint8], image_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, image_format)
    return file.getvalue()


def hub_table(
    images: NDArray[np.uint8], labels: Any = LABELS, *, image: str = "image", label: str = "label"
) -> pa.Table:
    """Return the columns and metadata that `datasets` 5.2 writes for the features `Image` and `ClassLabel`."""
    features = {image: {"_type": "Image"}, label: {"names": NAMES, "_type": "ClassLabel"}}
    pictures = [{"bytes": encode(each), "path": f"{number}.png"} for number, each in enumerate(images)]
    columns = {image: pictures, label: np.asarray(labels)[: len(images)]}
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def lists_of(images: NDArray[Any]) -> pa.Table:
    return pa.table({"image": images.reshape(len(images), -1).tolist(), "label": LABELS[: len(images)]})


def columns_of(images: NDArray[Any]) -> pa.Table:
    flat = images.reshape(len(images), -1)
    pixels = {f"pixel{index}": flat[:, index] for index in range(flat.shape[1])}
    return pa.table({"label": LABELS[: len(images)], **pixels})


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=options.pop("row_group_size", 7), **options)
    return path


FIXED = pa.FixedSizeListArray.from_arrays(pa.array(IMAGES.reshape(-1)), 64)


@pytest.mark.parametrize(
    ("table", "images"),
    [
        (hub_table(IMAGES), IMAGES),
        (hub_table(COLORS), COLORS),
        (pa.table({"image": [encode(image) for image in IMAGES], "label": LABELS}), IMAGES),
        (lists_of(IMAGES), IMAGES),
        (lists_of(COLORS), COLORS),
        (lists_of(IMAGES.astype(np.float64)), IMAGES),
        (pa.table({"image": FIXED, "label": LABELS}), IMAGES),
        (pa.table({"image": IMAGES.tolist(), "label": LABELS}), IMAGES),
        (pa.table({"image": COLORS.tolist(), "label": LABELS}), COLORS),
        (pa.table({"image": IMAGES[..., None].tolist(), "label": LABELS}), IMAGES),
        (columns_of(IMAGES).append_column("__index_level_0__", pa.array(range(30))), IMAGES),
        (hub_table(IMAGES, image="img").append_column("embedding", pa.array([[0.5]] * 30)), IMAGES),
        (columns_of(IMAGES), IMAGES),
        (columns_of(COLORS.astype(np.int64)), COLORS),
    ],
)
def test_reads_pictures_lists_and_columns(tmp_path: Path, table: pa.Table, images: NDArray[np.uint8]) -> None:
    dataset = load(ParquetSource(path=write(tmp_path / "all.parquet", table)))
    np.testing.assert_array_equal(dataset.train.images, images)
    np.testing.assert_array_equal(dataset.train.labels, LABELS)
    assert dataset.test is None


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        (["dog", "cat", "dog"], ("cat", "dog"), [1, 0, 1]),
        (pa.array(["dog", "cat", "dog"]).dictionary_encode(), ("cat", "dog"), [1, 0, 1]),
        ([7, 10, 7], ("7", "10"), [0, 1, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
    ],
)
def test_each_distinct_label_is_a_class(
    tmp_path: Path, labels: Any, names: tuple[str, ...], indices: list[int]
) -> None:
    table = pa.table({"image": IMAGES[:3].tolist(), "label": labels})
    dataset = load(ParquetSource(path=write(tmp_path / "all.parquet", table)))
    assert (dataset.class_names, dataset.train.labels.tolist()) == (names, indices)


def test_reads_a_folder_of_the_hugging_face_hub(tmp_path: Path) -> None:
    table = hub_table(COLORS, image="img", label="fine_label")
    for split, shards in (("train", 2), ("test", 1), ("validation", 1)):
        for shard in range(shards):
            rows = table.slice(10 * shard, 10)
            write(tmp_path / "data" / f"{split}-{shard:05d}-of-{shards:05d}.parquet", rows)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "train-1.parquet").touch()
    dataset = load(ParquetSource(path=tmp_path))
    assert dataset.class_names == tuple(NAMES)
    np.testing.assert_array_equal(dataset.train.images, COLORS[:20])
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.images, COLORS[:10])
    (warning,) = dataset.warnings
    assert "validation-00000-of-00001.parquet" in warning

    chosen = {"path": tmp_path / "data" / "train-*", "test_path": tmp_path / "data" / "validation-*"}
    np.testing.assert_array_equal(load(ParquetSource(**chosen)).train.images, COLORS[:20])
    named = ParquetSource(path=tmp_path / "data" / "train-00001-of-00002.parquet")
    np.testing.assert_array_equal(load(named).train.images, COLORS[10:20])
    (tmp_path / "data" / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match=r"train-00000-of-00002.parquet is missing; 1 of 2 shards"):
        load(ParquetSource(path=tmp_path))


def test_named_file_is_for_training_whatever_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "test.parquet", lists_of(IMAGES))
    assert len(load(ParquetSource(path=path)).train) == 30
    with pytest.raises(DataError, match="has no files for training, only for test"):
        load(ParquetSource(path=tmp_path))


def test_columns_are_named_where_they_are_not_the_usual(tmp_path: Path) -> None:
    table = columns_of(IMAGES).rename_columns(["digit", *(f"p{index}" for index in range(64))])
    path = write(tmp_path / "all.parquet", table.append_column("id", pa.array(range(30))))
    with pytest.raises(DataError, match="no column `label`; it has digit, p0, p1, p2, p3, ...") as caught:
        load(ParquetSource(path=path))
    assert caught.value.remedy == "set example_gen.source.columns.label: digit"
    with pytest.raises(DataError, match="row 0 of .* has 65 values"):
        load(ParquetSource.model_validate({"path": path, "columns": {"label": "digit"}}))
    named = ParquetSource.model_validate({"path": path, "columns": {"label": "digit", "image": "p*"}})
    np.testing.assert_array_equal(load(named).train.images, IMAGES)


def test_resizes_and_converts_to_the_requested_size(tmp_path: Path) -> None:
    table = pa.table({"image": [encode(IMAGES[0]), encode(COLORS[0, :6])], "label": [0, 1]})
    path = write(tmp_path / "all.parquet", table)
    with pytest.raises(DataError, match="row 1 of .* has an image of 6x8") as caught:
        load(ParquetSource(path=path))
    assert caught.value.expected == "8x8, as the first image"
    assert "example_gen.source.size" in caught.value.remedy
    assert load(ParquetSource(path=path, size=4)).train.images.shape == (2, 4, 4, 3)
    assert load(ParquetSource(path=path, size=4, channels=1)).train.images.shape == (2, 4, 4)
    small = load(ParquetSource(path=write(tmp_path / "lists.parquet", lists_of(IMAGES)), size=4))
    assert small.train.images.shape == (30, 4, 4)


def test_conversion_is_stated(tmp_path: Path) -> None:
    source = ParquetSource(path=write(tmp_path / "all.parquet", hub_table(COLORS)), size=4, channels=1)
    (tmp_path / "output").mkdir()
    examples = ExampleGen(ExampleGenConfig(source=source)).run(Context(output=tmp_path / "output"))
    assert examples.source.conversion == "converted to grayscale, resized from 8x8 to 4x4"


def test_shape_of_flat_images_may_be_set(tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", lists_of(IMAGES[:, :4]))
    with pytest.raises(DataError, match="row 0 of .* has 32 values"):
        load(ParquetSource(path=path))
    assert load(ParquetSource(path=path, shape=(4, 8))).train.images.shape == (30, 4, 8)


def test_identity_depends_on_content_but_not_on_names(tmp_path: Path) -> None:
    here = ParquetSource(path=write(tmp_path / "here" / "a.parquet", lists_of(IMAGES)))
    there = ParquetSource(path=write(tmp_path / "there" / "b.parquet", lists_of(IMAGES)).parent)
    other = ParquetSource(path=write(tmp_path / "other.parquet", lists_of(IMAGES[:20])))
    assert here.identity() == there.identity() != other.identity()
    for options in ({"size": 4}, {"shape": (4, 16)}, {"columns": {"image": "image"}}):
        assert ParquetSource.model_validate({"path": here.path, **options}).identity() != here.identity()


def changed(name: str, row: int, value: Any, table: pa.Table) -> pa.Table:
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values, table.schema.field(name).type))


PICTURES = hub_table(IMAGES)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed("label", 20, None, PICTURES), "row 20 of .* has no label"),
        (changed("label", 9, -1, PICTURES), "row 9 of .* has the label -1"),
        (changed("label", 9, 3, PICTURES), "row 9 of .* has the label 3"),
        (changed("label", 9, -1, lists_of(IMAGES)), "row 9 of .* has the label -1"),
        (changed("image", 20, {"bytes": None, "path": "20.png"}, PICTURES), "row 20 of .* has no bytes of a picture"),
        (changed("image", 20, None, PICTURES), "row 20 of .* has no bytes of a picture"),
        (changed("image", 20, {"bytes": b"GIF", "path": None}, PICTURES), "row 20 of .* is not a whole picture"),
        (changed("image", 20, [0] * 63, lists_of(IMAGES)), "row 20 of .* has a list of 63 values"),
        (changed("image", 20, None, lists_of(IMAGES)), "row 20 of .* has a list of 0 values"),
        (changed("image", 20, [0] * 63 + [None], lists_of(IMAGES)), "row 20 of .* has a pixel without a value"),
        (changed("image", 20, [0] * 63 + [256], lists_of(IMAGES.astype(int))), "row 20 of .* has the pixel 256"),
        (changed("pixel5", 20, None, columns_of(IMAGES)), "row 20 of .* has a pixel without a value"),
        (columns_of(IMAGES / 255), "row 0 of .* has the pixel 0.0[0-9]+"),
        (lists_of(IMAGES).slice(0, 0), "has no rows"),
        (pa.table({"image": ["a.png"], "label": [1]}), "the column `image` of .* holds string"),
        (pa.table({"image": IMAGES.tolist(), "label": LABELS / 2}), "the column `label` of .* holds double"),
        (pa.table([pa.array(LABELS)] * 2, ["label", "label"]), "several columns `label`"),
        (pa.table({"label": LABELS}), "no column `image`"),
        (pa.table({"image": [[["x"]]], "label": [0]}), "row 0 of .* has pixels of the type string"),
    ],
)
def test_invalid_value_is_named_by_its_row(tmp_path: Path, table: pa.Table, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(ParquetSource(path=write(tmp_path / "all.parquet", table)))
    assert "\n" not in caught.value.headline
    assert caught.value.expected
    assert caught.value.remedy


def test_row_of_a_later_shard_is_named(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.parquet", changed("label", 4, -1, PICTURES) if number == 2 else PICTURES)
    with pytest.raises(DataError, match=r"row 4 of .*2\.parquet has the label -1"):
        load(ParquetSource(path=tmp_path))


def test_shards_of_several_data_sets_raise_data_error(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", lists_of(IMAGES))
    write(tmp_path / "b.parquet", columns_of(IMAGES))
    with pytest.raises(DataError, match=r"b\.parquet has other columns"):
        load(ParquetSource(path=tmp_path))


def test_several_columns_of_labels_need_a_name(tmp_path: Path) -> None:
    features = {name: {"_type": "ClassLabel", "names": NAMES} for name in ("fine_label", "coarse_label")}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"img": IMAGES.tolist(), "fine_label": LABELS, "coarse_label": LABELS})
    path = write(tmp_path / "all.parquet", table.replace_schema_metadata(metadata))
    with pytest.raises(DataError, match="2 columns of labels: fine_label, coarse_label") as caught:
        load(ParquetSource(path=path))
    assert caught.value.remedy == "set example_gen.source.columns.label: fine_label"
    table = table.append_column("label", pa.array(LABELS + 4)).replace_schema_metadata(metadata)
    assert load(ParquetSource(path=write(path, table))).class_names == ("4", "5", "6"), "`label` precedes"


def rows_in_footer(content: bytes) -> bytes:
    """Change the number of rows of the file, not of its row groups: field 3 of the footer, a number in zigzag code."""
    field = b"\x16" + bytes([2 * 30])
    at = content.index(field, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))
    return content[:at] + b"\x16" + bytes([2 * 31]) + content[at + 2 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-20], "is not a whole Parquet file"),
        (lambda _: b"", "is not a whole Parquet file"),
        (lambda _: b"<html>404 Not Found</html>", "is not a whole Parquet file"),
        (lambda content: content[:4] + bytes(200) + content[204:], "is not a whole Parquet file"),
        (rows_in_footer, "has 30 rows, and its footer states 31"),
    ],
)
def test_damaged_file_raises_data_error(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    path = write(tmp_path / "all.parquet", lists_of(IMAGES), row_group_size=20)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        load(ParquetSource(path=path))
    assert str(path) in caught.value.headline
    assert "\n" not in caught.value.headline


def test_missing_and_special_files_raise_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(ParquetSource(path=tmp_path / "nowhere"))
    for path in (tmp_path, tmp_path / "*.parquet"):
        with pytest.raises(DataError, match="has no Parquet file"):
            load(ParquetSource(path=path))
    os.mkfifo(tmp_path / "all.parquet")
    with pytest.raises(DataError, match="is a FIFO"):
        load(ParquetSource(path=tmp_path))


@pytest.mark.thorough
def test_row_group_larger_than_memory_is_read_in_parts(tmp_path: Path) -> None:
    rows, pixels = 9000, 64 * 64
    images = np.random.default_rng(0).integers(0, 256, (rows, pixels), dtype=np.uint8)  # 37 MB
    lists = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), pixels)
    table = pa.table({"image": lists, "label": np.arange(rows) % 3})
    path = write(tmp_path / "all.parquet", table, row_group_size=rows)
    pool, default = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    source = ParquetSource(path=path)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        dataset = source.load(Context(output=tmp_path), tmp_path / "scratch")
        _, python_peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(default)
    assert len(dataset.train) == rows
    assert pool.max_memory() + python_peak < images.nbytes

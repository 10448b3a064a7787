"""Splits of several files: the same images, in the same order, as in one file."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components import Artifact, Component, Context, ExampleGen, Examples, Stored, Transform, TransformedExamples
from components.inference.split_images import open_pictures, open_scaled, read_raw, read_scaled
from components.io import splits
from components.io.splits import iterate_examples, read_ids, read_images
from components.testing import FakeExampleGen
from components.transform import TransformConfig
from tests.support.data import squares, write_idx, write_idx_folder

Inputs = dict[type[Artifact], Stored[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shards")


@pytest.fixture(scope="module")
def one_file(folder: Path) -> Inputs:
    return make(folder / "one")


@pytest.fixture(scope="module")
def several_files(folder: Path) -> Iterator[Inputs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "MAX_GROUP_ROWS", 10)
        patch.setattr(splits, "SHARD_GROUPS", 3)
        yield make(folder / "several")


def make(folder: Path) -> Inputs:
    examples = produce(FakeExampleGen(FakeExampleGen.Config(per_class=40)), folder / "examples")
    operations = {"operations": [{"kind": "resize", "size": [20, 20]}, {"kind": "standardize"}]}
    transform = Transform(TransformConfig.model_validate(operations))
    return {Examples: examples, TransformedExamples: produce(transform, folder / "transformed", examples=examples)}


def produce(component: Component[Any], output: Path, **inputs: Stored[Any]) -> Stored[Any]:
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    return Stored(component.run(Context(output=output), **inputs), output)


def test_files_have_a_fixed_number_of_rows(several_files: Inputs) -> None:
    examples = several_files[Examples]
    train = examples.artifact.splits.train
    assert [shard.file for shard in train.shards] == [
        "train/00000.parquet",
        "train/00001.parquet",
        "train/00002.parquet",
    ]
    assert [shard.count for shard in train.shards] == [30, 30, train.count - 60]
    assert [len(pd.read_parquet(examples.directory / shard.file)) for shard in train.shards] == [
        30,
        30,
        train.count - 60,
    ]


def test_raw_images_and_ids_are_those_of_one_file(one_file: Inputs, several_files: Inputs) -> None:
    for name in ("train", "validation", "test"):
        frames = [pd.read_parquet(made[Examples].directory / name) for made in (one_file, several_files)]
        pd.testing.assert_frame_equal(*frames)
        split = getattr(several_files[Examples].artifact.splits, name)
        rows = np.arange(0, split.count, 7)
        assert read_ids(several_files[Examples], split, rows) == frames[0]["id"].to_numpy()[rows].tolist()
        images = np.stack(frames[0]["image"].to_list()).reshape(-1, 16, 16)
        assert np.array_equal(read_images(several_files[Examples], split, rows), images[rows])
        batches = [batch.images for batch in iterate_examples(several_files[Examples], split, rows=8)]
        assert np.array_equal(np.concatenate(batches), images)


def test_statistics_and_source_are_those_of_one_file(one_file: Inputs, several_files: Inputs) -> None:
    one, several = (made[Examples].artifact.model_dump(exclude={"splits"}) for made in (one_file, several_files))
    assert one == several
    for (_, first), (_, second) in zip(
        one_file[Examples].artifact.splits.items(), several_files[Examples].artifact.splits.items(), strict=True
    ):
        assert first.model_dump(exclude={"shards"}) == second.model_dump(exclude={"shards"})


def test_network_inputs_are_those_of_one_file(one_file: Inputs, several_files: Inputs) -> None:
    one, several = one_file[TransformedExamples], several_files[TransformedExamples]
    assert one.artifact.model_dump(exclude={"splits"}) == several.artifact.model_dump(exclude={"splits"})
    for name in ("train", "validation", "test"):
        first, second = (getattr(made.artifact.splits, name) for made in (one, several))
        assert len(second.shards) == -(-second.count // 30)
        expected = read_scaled(one, first)
        images = open_scaled(several, second)
        assert np.array_equal(images[:], expected.images)
        assert np.array_equal(images.labels, expected.labels)
        assert np.array_equal(np.concatenate([*images.batches(7)]), expected.images)
        assert np.array_equal(images.read(5, 12), expected.images[5:12])
        assert np.array_equal(images[2], expected.images[2])
        everything = slice(None)
        assert np.array_equal(read_raw(several, second, everything), read_raw(one, first, everything))
        assert open_pictures(several, second).split_sha256() == open_pictures(one, first).split_sha256()


def test_anomalies_are_those_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_idx_folder(tmp_path / "idx", train=200, test=100)
    images, _ = squares(200)
    images[::2] = images[0]
    write_idx(folder / "train-images-idx3-ubyte", images)
    config = ExampleGen.Config.model_validate({"source": {"kind": "idx", "path": folder}})
    monkeypatch.setattr(splits, "MAX_GROUP_ROWS", 10)
    listed = []
    for groups in (100, 1):
        monkeypatch.setattr(splits, "SHARD_GROUPS", groups)
        examples = produce(ExampleGen(config), tmp_path / "examples")
        listed.append((examples.artifact.anomalies, (examples.directory / "anomalies.csv").read_text()))
    assert listed[0] == listed[1]
    assert len(listed[0][1].splitlines()) > 100
    assert len(examples.artifact.splits.train.shards) > 10

"""More images than memory: results that no budget changes, and memory that does not grow with the data."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from components import (
    Artifact,
    Context,
    Evaluation,
    Evaluator,
    ExampleGen,
    Examples,
    Model,
    Stored,
    Transform,
    TransformedExamples,
)
from components.base.errors import DataError
from components.example_gen.shuffle import distribute, make_buckets, ordered
from components.example_gen.sources.base import Dataset
from components.example_gen.split_config import SplitConfig
from components.example_gen.write import write_dataset
from components.io import raw_images
from components.io.raw_images import LabelledImages, RawImages, scratch_folder, spool_images
from components.io.splits import MAX_GROUP_ROWS, iterate_examples, iterate_scaled, read_scaled, row_group_rows
from components.testing.contract import make_inputs
from components.transform import TransformConfig
from tests.support.data import write_idx
from tests.support.processes import REPOSITORY, environment

SIDE = 4


def numbered(count: int, *, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images that each say in their pixels which one they are, and labels that follow from it."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    images = np.zeros((count, SIDE, SIDE), dtype=np.uint8)
    images[:, :2] = numbers.view(np.uint8).reshape(count, 2, SIDE)
    return images, (numbers % 3).astype(np.int64)


def number_of(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.reshape(len(images), SIDE, SIDE)[:, :2]).reshape(len(images), 8).view(np.uint64)


def spooled(path: Path, images: np.ndarray, labels: np.ndarray) -> LabelledImages:
    with spool_images(path, height=SIDE, width=SIDE) as spool:
        spool.append(images)
    return LabelledImages(spool.images(), labels)


def generate(output: Path, *, train: int, test: int, memory_budget: int, strategy: str = "stratified") -> Examples:
    output.mkdir()
    with scratch_folder(output) as scratch:
        dataset = Dataset(
            title="numbered",
            class_names=("0", "1", "2"),
            train=spooled(scratch / "train", *numbered(train)),
            test=spooled(scratch / "test", *numbered(test, first=train)),
        )
        return write_dataset(
            dataset,
            SplitConfig.model_validate({"strategy": strategy}),
            Context(output=output),
            scratch,
            seed=0,
            source_kind="numbered",
            source_identity={},
            memory_budget=memory_budget,
        )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("strategy", ["stratified", "official"])
def test_no_budget_changes_the_result(tmp_path: Path, strategy: str) -> None:
    made, files = [], []
    for budget in (1, 4 * MAX_GROUP_ROWS * SIDE * SIDE, 10**9):  # one, two and all row groups a bucket
        folder = tmp_path / str(budget)
        made.append(
            generate(
                folder,
                train=3 * MAX_GROUP_ROWS + 5,
                test=MAX_GROUP_ROWS + 1,
                memory_budget=budget,
                strategy=strategy,
            )
        )
        files.append(contents(folder))
    assert made[0] == made[1] == made[2]
    assert files[0] == files[1] == files[2]
    assert set(files[0]) == {"train.parquet", "validation.parquet", "test.parquet"}, "scratch is left behind"


def test_every_image_is_in_one_split_with_its_own_label_and_name(tmp_path: Path) -> None:
    train, test = 3 * MAX_GROUP_ROWS + 5, 1000
    generate(tmp_path / "out", train=train, test=test, memory_budget=1)
    frames = [pd.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("train", "validation", "test")]
    frame = pd.concat(frames)
    numbers = number_of(np.stack(frame["image"].to_list())).reshape(-1)
    assert sorted(numbers.tolist()) == list(range(train + test))
    np.testing.assert_array_equal(frame["label"], numbers % 3)
    assert frame["id"].to_list() == [f"train/{n}" if n < train else f"test/{n - train}" for n in numbers.tolist()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    size=st.integers(1, 50),
    piece=st.integers(1, 400),
    group=st.integers(1, 9),
    seed=st.integers(0, 99),
)
@example(counts=[1], size=1, piece=1, group=1, seed=0)
def test_a_shuffle_in_pieces_is_the_shuffle_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: list[int], size: int, piece: int, group: int, seed: int
) -> None:
    monkeypatch.setattr(raw_images, "CHUNK_BYTES", piece)
    images, labels = numbered(sum(counts))
    cuts = np.cumsum(counts)[:-1]
    parts = [
        spooled(tmp_path / f"part-{number}", *some)
        for number, some in enumerate(zip(np.split(images, cuts), np.split(labels, cuts), strict=True))
    ]
    wanted = np.random.default_rng(seed).permutation(len(images))
    buckets = make_buckets(wanted, start=0, size=size)
    distribute(parts, buckets, tmp_path / "shuffled", lambda: None)
    pieces = [piece for bucket in buckets for piece in ordered(bucket, tmp_path / "shuffled", SIDE * SIDE, group=group)]
    assert all(len(rows) <= group for rows, _ in pieces)
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in pieces]), wanted)
    np.testing.assert_array_equal(np.concatenate([some for _, some in pieces]), images[wanted].reshape(len(images), -1))


def test_a_row_group_of_large_images_is_no_larger_than_one_of_small_ones() -> None:
    assert row_group_rows(4 * 4) == row_group_rows(28 * 28) == MAX_GROUP_ROWS
    assert row_group_rows(29 * 29) < MAX_GROUP_ROWS
    assert [row_group_rows(side * side) * side * side <= raw_images.CHUNK_BYTES for side in (29, 224, 1024)] == [
        True
    ] * 3
    assert row_group_rows(10**9) == 1


def test_a_source_that_becomes_shorter_is_told(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(bytes(100))
    images = RawImages(tmp_path / "images", offset=4, count=7, height=4, width=4)
    with pytest.raises(DataError, match="images became shorter while it was read"):
        [*images.chunks()]
    assert sum(map(len, replace(images, count=6).chunks())) == 6


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Artifact], Stored[Any]]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("rows", [1, 7, 10**6])
def test_batches_are_what_a_memory_map_has(inputs: dict[type[Artifact], Stored[Any]], rows: int) -> None:
    transformed: Stored[TransformedExamples] = inputs[TransformedExamples]
    for _, split in transformed.artifact.splits.items():  # noqa: PERF102  (not a dict)
        mapped = read_scaled(transformed, split).images
        batches = [*iterate_scaled(transformed, split, rows=rows)]
        assert not any(isinstance(batch, np.memmap) for batch in batches)
        assert {len(batch) for batch in batches[:-1]} <= {rows}
        np.testing.assert_array_equal(np.concatenate(batches), mapped)


@pytest.mark.parametrize("rows", [1, 7, 10**6])
def test_batches_of_examples_are_what_pandas_reads(inputs: dict[type[Artifact], Stored[Any]], rows: int) -> None:
    examples: Stored[Examples] = inputs[Examples]
    split = examples.artifact.splits.train
    batches = [*iterate_examples(examples, split, rows=rows)]
    frame = pd.read_parquet(examples.directory / split.file)
    np.testing.assert_array_equal(
        np.concatenate([batch.images for batch in batches]).reshape(len(frame), -1), np.stack(frame["image"].to_list())
    )
    np.testing.assert_array_equal(np.concatenate([batch.labels for batch in batches]), frame["label"])


def test_the_budget_is_no_part_of_what_is_made(inputs: dict[type[Artifact], Stored[Any]], tmp_path: Path) -> None:
    made = []
    for budget in (16 * 10**6, 10**12):
        assert ExampleGen(ExampleGen.Config(memory_budget=budget)).identity() == ExampleGen().identity()
        component = Transform(TransformConfig(memory_budget=budget))
        assert component.identity() == Transform().identity()
        output = tmp_path / str(budget)
        output.mkdir()
        made.append((component.run(Context(output=output), examples=inputs[Examples]), contents(output)))
    assert made[0] == made[1]


def test_the_evaluator_asks_the_model_batch_by_batch(
    inputs: dict[type[Artifact], Stored[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.inference import predictor

    evaluations = []
    for batch in (7, 1000):
        monkeypatch.setattr(predictor, "BATCH_SIZE", batch)
        real, asked = predictor.load_predictor(inputs[Model]), []

        def recording(images: np.ndarray) -> np.ndarray:
            asked.append(len(images))  # noqa: B023
            return real(images)  # noqa: B023

        monkeypatch.setattr(predictor, "load_predictor", lambda _: recording)
        output = tmp_path / str(batch)
        output.mkdir()
        config = Evaluator.Config.model_validate({"robustness": {"images": 0}})  # these are tried in one piece
        evaluation: Evaluation = Evaluator(config).run(
            Context(output=output), transformed=inputs[TransformedExamples], model=inputs[Model]
        )
        monkeypatch.undo()
        assert max(asked) <= batch
        assert sum(asked) == evaluation.metrics.count + inputs[TransformedExamples].artifact.splits.validation.count
        evaluations.append(evaluation.metrics.accuracy)
    assert evaluations[0] == evaluations[1]


PEAK = """
    import sys
    from pathlib import Path
    from components import Artifact, Context, ExampleGen, Stored, Transform

    folder, budget, output = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    for name in ("examples", "transformed"):
        (output / name).mkdir(parents=True)
    config = {"source": {"kind": "idx", "path": folder}, "memory_budget": budget}
    generator = ExampleGen(ExampleGen.Config.model_validate(config))
    examples = Stored(generator.run(Context(output=output / "examples")), output / "examples")
    Transform(Transform.Config(memory_budget=budget)).run(Context(output=output / "transformed"), examples=examples)
    # Not from getrusage: there a process begins with what its parent had.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024)
"""


def peak_memory(folder: Path, *, count: int, gz: bool, memory_budget: int) -> int:
    """Return the most memory, in bytes, that a process of its own had in ExampleGen and Transform."""
    folder.mkdir()
    random = np.random.default_rng(0)
    ending = ".gz" if gz else ""
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    images[:, 12:16] = random.integers(0, 256, (count, 4, 28), dtype=np.uint8)
    write_idx(folder / f"train-images-idx3-ubyte{ending}", images)
    write_idx(folder / f"train-labels-idx1-ubyte{ending}", np.arange(count) % 10)
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PEAK), str(folder), str(memory_budget), str(folder / "output")],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak memory")
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    budget = 16 * 10**6
    few, many = 25_000, 150_000  # 20 and 118 MB of raw images, 78 and 470 MB of scaled ones
    small = peak_memory(tmp_path / "small", count=few, gz=False, memory_budget=budget)
    for gz in (False, True):
        large = peak_memory(tmp_path / f"large-{gz}", count=many, gz=gz, memory_budget=budget)
        # Labels, places and digests take some tens of bytes an image, and Arrow's allocator keeps what it pleases.
        assert large - small < 80 * 10**6, f"{small / 1e6:.0f} MB for {few} images, {large / 1e6:.0f} MB for {many}"

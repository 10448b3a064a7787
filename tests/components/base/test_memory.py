"""Data larger than memory: the budget does not change results, and memory does not grow with the data."""

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
    Component,
    Context,
    Evaluator,
    ExampleGen,
    Examples,
    Stored,
    Transform,
    TransformedExamples,
)
from components.base.errors import DataError
from components.example_gen.shuffle import Bucket, gather, scatter, spans_of
from components.example_gen.sources.base import Dataset
from components.example_gen.split import SplitConfig
from components.example_gen.write import write_dataset
from components.inference.split_images import iterate_scaled, read_scaled
from components.io.raw_images import CHUNK_BYTES, LabelledImages, RawImages, scratch_folder, spool_images
from components.io.splits import MAX_GROUP_ROWS, iterate_examples, row_group_rows
from components.testing import FakeExampleGen, FakeTrainer, FakeTransform
from components.testing.contract import make_inputs
from components.transform import TransformConfig
from tests.support.data import write_idx
from tests.support.processes import REPOSITORY, environment

SIDE = 4


def numbered(count: int, *, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images that encode their number in their pixels, and labels derived from it."""
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
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("strategy", ["stratified", "official"])
def test_result_does_not_depend_on_the_budget(tmp_path: Path, strategy: str) -> None:
    made, files = [], []
    for budget in (1, 4 * MAX_GROUP_ROWS * SIDE * SIDE, 10**9):  # one, two and all row groups a bucket
        folder = tmp_path / str(budget)
        made.append(
            generate(
                folder, train=3 * MAX_GROUP_ROWS + 5, test=MAX_GROUP_ROWS + 1, memory_budget=budget, strategy=strategy
            )
        )
        files.append(contents(folder))
    assert made[0] == made[1] == made[2]
    assert files[0] == files[1] == files[2]
    names = {f"{name}/00000.parquet" for name in ("train", "validation", "test")}
    assert set(files[0]) == names, "the scratch folder remains"


def test_each_image_is_in_one_split_with_its_label_and_id(tmp_path: Path) -> None:
    train, test = 3 * MAX_GROUP_ROWS + 5, 1000
    generate(tmp_path / "out", train=train, test=test, memory_budget=1)
    frames = [pd.read_parquet(tmp_path / "out" / name) for name in ("train", "validation", "test")]
    frame = pd.concat(frames)
    numbers = number_of(np.stack(frame["image"].to_list())).reshape(-1)
    assert sorted(numbers.tolist()) == list(range(train + test))
    np.testing.assert_array_equal(frame["label"], numbers % 3)
    assert frame["id"].to_list() == [f"train/{n}" if n < train else f"test/{n - train}" for n in numbers.tolist()]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    size=st.integers(1, 50),
    chunk=st.integers(1, 400),
    group=st.integers(1, 9),
    section=st.integers(1, 60),
    seed=st.integers(0, 99),
)
@example(counts=[1], size=1, chunk=1, group=1, section=1, seed=0)
def test_shuffle_in_chunks_equals_shuffle_in_memory(
    tmp_path: Path, counts: list[int], size: int, chunk: int, group: int, section: int, seed: int
) -> None:
    images, labels = numbered(sum(counts))
    cuts = np.cumsum(counts)[:-1]
    parts = []
    for number, part in enumerate(zip(np.split(images, cuts), np.split(labels, cuts), strict=True)):
        stored = spooled(tmp_path / f"part-{number}", *part)
        parts.append(replace(stored, images=replace(stored.images, chunk_bytes=chunk)))
    order = np.random.default_rng(seed).permutation(len(images))
    buckets = [Bucket(number, order[first:][:size]) for number, first in enumerate(range(0, len(order), size))]
    bucket_of = np.empty(len(order), np.int32)
    for bucket in buckets:
        bucket_of[bucket.rows] = bucket.number
    scattered, row = [], 0
    for each in parts:
        for images_of_section in each.images.sections(section):
            numbers = bucket_of[row : row + images_of_section.count]
            scattered.append(scatter(images_of_section, numbers, len(buckets), tmp_path / f"scattered-{row}"))
            row += images_of_section.count
    pieces = [
        piece for bucket in buckets for piece in gather(bucket, spans_of(bucket, scattered), (SIDE, SIDE), group=group)
    ]
    assert all(len(rows) <= group for rows, _ in pieces)
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in pieces]), order)
    np.testing.assert_array_equal(np.concatenate([part for _, part in pieces]), images[order])


def test_row_groups_of_large_images_have_no_more_bytes() -> None:
    assert row_group_rows(4 * 4) == row_group_rows(28 * 28) == MAX_GROUP_ROWS
    assert row_group_rows(29 * 29) < MAX_GROUP_ROWS
    for pixels in (29**2, 224**2, 1024**2):
        assert row_group_rows(pixels) * pixels <= CHUNK_BYTES
    assert row_group_rows(10**9) == 1


def test_reports_a_source_that_becomes_shorter(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(bytes(100))
    images = RawImages(tmp_path / "images", offset=4, count=7, height=4, width=4)
    with pytest.raises(DataError, match="images became shorter while it was read"):
        [*images.chunks()]
    assert sum(map(len, replace(images, count=6).chunks())) == 6


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Artifact], Stored[Any]]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("rows", [1, 7, 10**6])
def test_scaled_batches_equal_the_whole_split(inputs: dict[type[Artifact], Stored[Any]], rows: int) -> None:
    transformed: Stored[TransformedExamples] = inputs[TransformedExamples]
    for _, split in transformed.artifact.splits.items():  # noqa: PERF102  (not a dict)
        whole = read_scaled(transformed, split).images
        batches = [*iterate_scaled(transformed, split, rows=rows)]
        assert {len(batch) for batch in batches[:-1]} <= {rows}
        np.testing.assert_array_equal(np.concatenate(batches), whole)


@pytest.mark.parametrize("rows", [1, 7, 10**6])
def test_raw_batches_equal_what_pandas_reads(inputs: dict[type[Artifact], Stored[Any]], rows: int) -> None:
    examples: Stored[Examples] = inputs[Examples]
    split = examples.artifact.splits.train
    batches = [*iterate_examples(examples, split, rows=rows)]
    frame = pd.read_parquet([examples.directory / shard.file for shard in split.shards])
    np.testing.assert_array_equal(
        np.concatenate([batch.images for batch in batches]).reshape(len(frame), -1), np.stack(frame["image"].to_list())
    )
    np.testing.assert_array_equal(np.concatenate([batch.labels for batch in batches]), frame["label"])


def test_budget_is_not_part_of_identity_or_artifact(inputs: dict[type[Artifact], Stored[Any]], tmp_path: Path) -> None:
    made = []
    for budget in (16 * 10**6, 10**12):
        assert ExampleGen(ExampleGen.Config(memory_budget=budget)).identity() == ExampleGen().identity()
        component = Transform(TransformConfig(memory_budget=budget))
        assert component.identity() == Transform().identity()
        output = tmp_path / str(budget)
        output.mkdir()
        made.append((component.run(Context(output=output), examples=inputs[Examples]), contents(output)))
    assert made[0] == made[1]


def test_evaluator_predicts_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.inference import predictor

    examples = run(FakeExampleGen(FakeExampleGen.Config(per_class=5000)), tmp_path)
    transformed = run(FakeTransform(FakeTransform.Config(limit=10**6)), tmp_path, examples=examples)
    model = run(FakeTrainer(), tmp_path, transformed=transformed)
    predict, batches = predictor.load_predictor(model), []

    def recording(images: np.ndarray) -> np.ndarray:
        batches.append(len(images))
        return predict(images)

    monkeypatch.setattr(predictor, "load_predictor", lambda _: recording)
    config = Evaluator.Config.model_validate({"robustness": {"images": 0}})  # corrupted images are one batch
    evaluation = run(Evaluator(config), tmp_path, transformed=transformed, model=model).artifact
    splits = transformed.artifact.splits
    assert evaluation.metrics.count > predictor.BATCH_SIZE, "one batch is enough for the test split"
    assert max(batches) <= predictor.BATCH_SIZE
    assert sum(batches) == evaluation.metrics.count + splits.validation.count
    test = read_scaled(transformed, splits.test)
    assert evaluation.metrics.accuracy == (predict(test.images).argmax(axis=1) == test.labels).mean()


def run(component: Component[Any], folder: Path, **inputs: Stored[Any]) -> Stored[Any]:
    output = folder / type(component).__name__
    output.mkdir()
    return Stored(component.run(Context(output=output), **inputs), output)


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
    # Not from getrusage, where a process starts with the peak of its parent.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024)
"""


def peak_memory(folder: Path, *, count: int, gz: bool, memory_budget: int) -> int:
    """Return the peak memory, in bytes, of a new process that runs ExampleGen and Transform."""
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
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux provides the peak memory of a process")
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    budget = 16 * 10**6
    few, many = 25_000, 150_000  # 20 and 118 MB of raw images, 78 and 470 MB of scaled ones
    small = peak_memory(tmp_path / "small", count=few, gz=False, memory_budget=budget)
    for gz in (False, True):
        large = peak_memory(tmp_path / f"large-{gz}", count=many, gz=gz, memory_budget=budget)
        # Labels, row numbers and digests take some tens of bytes per image, and Arrow's allocator keeps memory.
        assert large - small < 80 * 10**6, f"{small / 1e6:.0f} MB for {few} images, {large / 1e6:.0f} MB for {many}"

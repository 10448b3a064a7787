"""Transform: memory-mapped scaled splits, one graph for training and serving, shared images."""

import json
from pathlib import Path

import numpy as np

from components import Context, ExampleGen, Stored, Transform, TransformedExamples
from components.example_gen import ExampleGenConfig
from components.example_gen.sources import IdxSource
from components.inference.split_images import read_scaled
from tests.support.data import squares, write_idx, write_idx_folder


def transform(tmp_path: Path, folder: Path) -> Stored[TransformedExamples]:
    for name in ("examples", "transformed"):
        (tmp_path / name).mkdir()
    generator = ExampleGen(
        ExampleGenConfig.model_validate(
            {"source": IdxSource(path=folder).model_dump(), "split": {"strategy": "official", "validation": 0.2}}
        )
    )
    examples = Stored(generator.run(Context(output=tmp_path / "examples")), tmp_path / "examples")
    output = tmp_path / "transformed"
    return Stored(Transform().run(Context(output=output), examples=examples), output)


def test_images_are_scaled_by_255(tmp_path: Path) -> None:
    transformed = transform(tmp_path, write_idx_folder(tmp_path / "idx"))
    test = read_scaled(transformed, transformed.artifact.splits.test)
    assert test.images.dtype == np.float32
    assert test.images.shape == (100, 28, 28, 1)
    raw = {image.tobytes() for image in squares(100, seed=1)[0]}
    assert {np.rint(image * 255).astype(np.uint8).tobytes() for image in test.images} == raw


def test_graph_is_written_beside_the_splits(tmp_path: Path) -> None:
    transformed = transform(tmp_path, write_idx_folder(tmp_path / "idx"))
    written = json.loads((transformed.directory / "graph.json").read_text())
    assert written == [
        {"op": "cast", "dtype": "float32"},
        {"op": "multiply", "by": 1 / 255},
        {"op": "expand_dims", "axis": -1},
    ]


def test_counts_images_that_splits_share(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path / "idx", train=200, test=100)
    images, _ = squares(200)
    images[::2] = images[0]  # every second training image is the same one
    tests, _ = squares(100, seed=1)
    tests[7], tests[9] = images[1], images[0]
    write_idx(folder / "train-images-idx3-ubyte", images)
    write_idx(folder / "t10k-images-idx3-ubyte", tests)
    transformed = transform(tmp_path, folder)
    by_splits = {overlap.splits: overlap.images for overlap in transformed.artifact.overlaps}
    assert by_splits[("train", "validation")] == 1
    # images[1] is in train or in validation, images[0] in both; tests[7] and tests[9] repeat them.
    assert by_splits[("train", "test")] + by_splits[("validation", "test")] == 3
    assert transformed.artifact.shared_images == 100 + 1 + 2

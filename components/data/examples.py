"""From a dataset in memory to an Examples artifact: check it, split it, write it, count it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from components.artifacts import Examples, ExamplesSplit, Source, Splits
from components.data.formats import examples_frame, frame_images, write_examples
from components.data.splitting import split_rows
from components.errors import ConfigError, DataError
from components.runtime.disk import room_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.component import Context
    from components.data.split_config import SplitConfig
    from components.sources.base import Dataset


def write_dataset(
    dataset: Dataset,
    split: SplitConfig,
    context: Context,
    *,
    seed: int,
    source_kind: str,
    source_identity: dict[str, str],
) -> Examples:
    """Check a dataset, split it, write one Parquet file a split, and return what was written.

    Raises:
        DataError: if the dataset contradicts itself, or is too small to split.
        ConfigError: if `official` is asked of a dataset without a test set.
        TerminationError: if the job was asked to end.
        StorageError: if the disk is full.
    """
    check(dataset, pooled=split.strategy == "stratified")
    frames = make_frames(dataset, split, seed)
    height, width = dataset.train.images.shape[1:3]
    splits = {}
    for name, frame in frames.items():
        context.termination.check()
        path = context.output / f"{name}.parquet"
        # Images compress to less; how much less is known when they are written.
        with room_for(context.output, len(frame) * height * width, f"the {name} images"):
            write_examples(frame, path)
        splits[name] = describe(path.name, frame, (height, width), len(dataset.class_names))
    identity = {**source_identity, "content_sha256": content_digest(dataset)}
    return Examples(
        source=Source(kind=source_kind, title=dataset.title, identity=identity),
        image_shape=(height, width, 1),
        class_names=dataset.class_names,
        strategy=split.strategy,
        seed=seed,
        splits=Splits[ExamplesSplit](**splits),
    )


def check(dataset: Dataset, *, pooled: bool) -> None:
    """Hold a source's images and labels against what the Examples manifest will state.

    Args:
        dataset: what the source gave.
        pooled: whether every class must be in the whole of it, or in each of its sets.

    Raises:
        DataError: if shapes, types, counts or labels are not as stated.
    """

    classes = len(dataset.class_names)
    parts = {"train": dataset.train} | ({} if dataset.test is None else {"test": dataset.test})
    for name, part in parts.items():
        images, labels = part.images, part.labels
        if images.ndim != 3 or images.dtype != np.uint8 or images.shape[1:] != dataset.train.images.shape[1:]:
            raise DataError(
                f"the {name} images of {dataset.title} are {images.dtype} {list(images.shape)}",
                expected="uint8 [count, height, width], of one size in all sets",
                remedy="correct the source",
            )
        if len(images) == 0 or len(images) != len(labels):
            raise DataError(
                f"the {name} set of {dataset.title} has {len(images)} images and {len(labels)} labels",
                expected="at least one image, and one label for each",
                remedy="correct the source",
            )
        if labels.min() < 0 or labels.max() >= classes:
            odd = int(labels.max() if labels.max() >= classes else labels.min())
            row = int(np.flatnonzero(labels == odd)[0])
            raise DataError(
                f"image {row} of the {name} set of {dataset.title} has the label {odd}",
                expected=f"labels from 0 to {classes - 1}, for {classes} classes",
                remedy="correct the label, or tell the source how many classes there are",
            )
    pools = [np.concatenate([part.labels for part in parts.values()])] if pooled else [p.labels for p in parts.values()]
    for labels in pools:
        if missing := np.flatnonzero(np.bincount(labels, minlength=classes) == 0).tolist():
            names = ", ".join(dataset.class_names[label] for label in missing[:5])
            raise DataError(
                f"{dataset.title}: there is no image of class {names}" + ("" if pooled else " in one of its sets"),
                expected=f"labels that run from 0 to {classes - 1} without a gap",
                remedy="add images of it, or tell the source how many classes there are",
            )


def make_frames(dataset: Dataset, split: SplitConfig, seed: int) -> dict[str, pd.DataFrame]:
    """Put the images into a DataFrame and return it split, one frame a split.

    Raises:
        ConfigError: if `official` is asked of a source without a test set.
        DataError: if it is too small to split.
    """

    origins = {"train": dataset.train} | ({} if dataset.test is None else {"test": dataset.test})
    tables = {
        name: examples_frame(part.images, part.labels, [f"{name}/{row}" for row in range(len(part))])
        for name, part in origins.items()
    }
    if split.strategy == "official":
        if "test" not in tables:
            raise ConfigError(
                f"the split strategy `official` needs a source with a test set of its own, "
                f"and {dataset.title} has none",
                expected="a source with its own test set, or the strategy `stratified`",
                remedy="set example_gen.split.strategy to `stratified`, or give the source its test files",
            )
        pool, sizes = tables["train"], {"validation": split.validation}
    else:
        pool = pd.concat(tables.values(), ignore_index=True)
        sizes = {"test": split.test_share, "validation": split.validation}
    labels = pool["label"].to_numpy()
    rows = split_rows(labels, sizes, seed=seed, class_names=dataset.class_names)
    frames = {name: pool.iloc[rows[name]] for name in rows}
    if "test" not in frames:
        shuffled = np.random.default_rng(seed).permutation(len(tables["test"]))
        frames["test"] = tables["test"].iloc[shuffled]
    return frames


def describe(file: str, frame: pd.DataFrame, size: tuple[int, int], classes: int) -> ExamplesSplit:
    """Return what the manifest says of one split, counted from the frame itself."""

    # Exact in integers: a histogram of 256 grey values gives both moments in one pass.
    values = np.arange(256, dtype=np.float64)
    histogram = np.bincount(frame_images(frame, *size).reshape(-1), minlength=256)
    mean = float(histogram @ values / histogram.sum())
    variance = float(histogram @ (values - mean) ** 2 / histogram.sum())
    return ExamplesSplit(
        file=file,
        count=len(frame),
        label_counts=tuple(np.bincount(frame["label"], minlength=classes).tolist()),
        pixel_mean=mean,
        pixel_std=variance**0.5,
    )


def content_digest(dataset: Dataset) -> str:
    """Return the SHA-256 over all images and labels as the source gave them."""

    digest = hashlib.sha256()
    for part in (dataset.train, dataset.test):
        if part is not None:
            arrays: tuple[NDArray[np.generic], ...] = (part.images, part.labels)
            for array in arrays:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()

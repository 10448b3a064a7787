"""Transform: converts raw images to the network's input, and writes the graph that does so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from components.artifacts import (
    SPLITS,
    Examples,
    ExamplesSplit,
    Splits,
    Stored,
    TransformedExamples,
    TransformedShard,
    TransformedSplit,
    raw_shape,
)
from components.artifacts.transformed import GraphOperation
from components.base.component import Component, ComponentConfig, Context
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.inference.transform_graph import scaling_graph
from components.runtime.disk import disk_space_guard
from components.transform.operations import InputConversion, Operation, TransformFunction

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.io.splits import ImageSplit

MAX_BATCH_IMAGES = 1024
"""Maximum number of images converted at a time: MNIST images of this number fit into a processor's cache."""


class TransformConfig(ComponentConfig):
    """Operations that follow the scaling of pixels to 0..1."""

    operations: tuple[Operation, ...] = ()
    """In this order, after the division by 255: `{kind: standardize}`, `{kind: resize, size: [32, 32]}`, or a function
    `{use: "my_module:my_function", ...}` of (pictures, ops, **options), where ops is `numpy` or `keras.ops`."""
    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Bytes of images to hold in memory at once; by default the job's. The result does not depend on it."""


class Transform(Component[TransformConfig]):
    """Scales every image to 0..1, applies the operations, and counts the images that several splits share.

    >>> str(Transform.signature())
    '(examples: Stored[Examples]) -> TransformedExamples'
    """

    Config = TransformConfig
    libraries: tuple[str, ...] = ("numpy", "pyarrow")

    def __init__(self, config: TransformConfig | None = None) -> None:
        super().__init__(config)
        if any(isinstance(operation, TransformFunction) for operation in self.config.operations):
            self.libraries = (*self.libraries, "keras", "tensorflow")

    def identity(self) -> dict[str, Any]:
        return self.config.content(exclude={"memory_budget"})

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> TransformedExamples:
        """Write two or three NumPy files per file of a raw split, and the graph as JSON.

        Raises:
            ConfigError: if an operation does not fit the images, or a custom function fails.
        """
        with context.timed("imports"):
            from pydantic import TypeAdapter

            from components.inference.split_images import pictures_in
            from components.io.image_digests import find_shared_images

        artifact, output = examples.artifact, context.output
        with context.timed("fitting"):
            conversion = self._fit(examples, context)
        with context.timed("writing"):
            shards, digests = self._write_shards(examples, conversion, context)
        splits = {name: TransformedSplit(shards=tuple(shards[name])) for name in SPLITS}
        (output / "graph.json").write_bytes(
            TypeAdapter(tuple[GraphOperation, ...]).dump_json(conversion.graph, indent=2, exclude_none=True) + b"\n"
        )
        with context.timed("comparing"):
            overlaps, shared_images = find_shared_images(digests)
            test_sha256 = pictures_in(output, splits["test"], conversion.graph).split_sha256()
        return TransformedExamples(
            title=artifact.source.title,
            image_shape=conversion.shape,
            picture_shape=artifact.image_shape,
            class_names=artifact.class_names,
            graph_file="graph.json",
            graph=conversion.graph,
            overlaps=overlaps,
            shared_images=shared_images,
            splits=Splits[TransformedSplit](**splits),
            test_sha256=test_sha256,
        )

    def _fit(self, examples: Stored[Examples], context: Context) -> InputConversion:
        """Return the operations with the values that depend on the training images."""
        shape, train = examples.artifact.image_shape, examples.artifact.splits.train
        conversion = InputConversion(shape, scaling_graph(shape[2]))

        def batches() -> Iterator[NDArray[np.uint8]]:
            return (raw.images for raw in self._batches(train, examples, conversion, context))

        for operation in self.config.operations:
            conversion = conversion.then(operation, batches)
        return conversion

    def _write_shards(
        self, examples: Stored[Examples], conversion: InputConversion, context: Context
    ) -> tuple[dict[str, list[TransformedShard]], dict[str, NDArray[np.void]]]:
        """Write the files of all splits; return the shards and the digests of the raw images of each split."""
        import numpy as np

        splits, output = examples.artifact.splits.items(), context.output
        # The graph computes the same bits as the built-in operations, but not always as a custom function in NumPy.
        stored = any(isinstance(operation, TransformFunction) for operation in self.config.operations)
        rows = self._batch_rows(examples, conversion, tasks=context.engine.parallel)
        tasks = [
            partial(
                transform_shard,
                examples.directory / shard.file,
                raw_shape(examples.artifact.image_shape),
                output,
                f"{name}/{number:05}",
                count=shard.count,
                rows=rows,
                conversion=conversion if stored else None,
            )
            for name, split in splits
            for number, shard in enumerate(split.shards)
        ]
        names = [name for name, split in splits for _ in split.shards]
        sizes = [shard.count for _, split in splits for shard in split.shards]
        for name in SPLITS:
            (output / name).mkdir()
        image_bytes = prod(examples.artifact.image_shape) + 8 + (4 * prod(conversion.shape) if stored else 0)
        shards: dict[str, list[TransformedShard]] = {name: [] for name in SPLITS}
        digests: dict[str, list[NDArray[np.void]]] = {name: [] for name in SPLITS}
        with disk_space_guard(output, image_bytes * sum(split.count for _, split in splits), "the transformed images"):
            for name, (shard, shard_digests) in zip(
                names, context.engine.run(tasks, context.termination.check, sizes), strict=True
            ):
                shards[name].append(shard)
                digests[name].append(shard_digests)
        return shards, {name: np.concatenate(arrays) for name, arrays in digests.items()}

    def _batches(
        self, split: ExamplesSplit, examples: Stored[Examples], conversion: InputConversion, context: Context
    ) -> Iterator[ImageSplit[np.uint8]]:
        """Yield a raw split in batches that leave room for their conversion in the budget of memory."""
        from components.io.splits import iterate_examples

        for raw in iterate_examples(examples, split, rows=self._batch_rows(examples, conversion, tasks=1)):
            context.termination.check()
            yield raw

    def _batch_rows(self, examples: Stored[Examples], conversion: InputConversion, *, tasks: int) -> int:
        """Return the number of images that a task converts at a time, if `tasks` tasks share the memory budget."""
        # While a pixel is scaled, it takes 9 bytes: raw, cast and multiplied. Each operation makes copies.
        pixels, inputs = prod(examples.artifact.image_shape), prod(conversion.shape)
        image_bytes = 9 * pixels + 16 * len(self.config.operations) * max(pixels, inputs)
        return max(1, min(MAX_BATCH_IMAGES, self.config.memory_budget // tasks // image_bytes))


def transform_shard(
    path: Path,
    shape: tuple[int, ...],
    output: Path,
    name: str,
    *,
    count: int,
    rows: int,
    conversion: InputConversion | None,
) -> tuple[TransformedShard, NDArray[np.void]]:
    """Write the NumPy files for one file of a raw split; return their names, and the digest of each raw image.

    Args:
        path: the raw file.
        shape: shape of a raw image.
        name: beginning of the names of the written files in `output`, such as `train/00000`.
        count: number of images.
        rows: number of images converted at a time.
        conversion: converts raw images to the network's inputs; None if these are not stored.
    """
    import numpy as np

    from components.io.arrays import array_writer
    from components.io.image_digests import image_digests
    from components.io.splits import iterate_shard

    written = TransformedShard(
        raw=f"{name}_raw.npy",
        labels=f"{name}_labels.npy",
        inputs=None if conversion is None else f"{name}_inputs.npy",
        count=count,
    )
    digests, labels = [], []
    with ExitStack() as files:
        write_raw = files.enter_context(array_writer(output / written.raw, count))
        write_inputs = files.enter_context(array_writer(output / written.inputs, count)) if written.inputs else None
        for raw in iterate_shard(path, shape, rows=rows):
            digests.append(image_digests(raw.images))
            labels.append(raw.labels.copy())  # a view would keep the whole batch in memory
            write_raw(raw.images)
            if conversion is not None and write_inputs is not None:
                write_inputs(conversion(raw.images))
    np.save(output / written.labels, np.concatenate(labels), allow_pickle=False)
    return written, np.concatenate(digests)

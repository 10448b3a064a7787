"""Transform: converts raw images to the network's input, and writes the graph that does so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from math import prod
from typing import TYPE_CHECKING, Any

from components.artifacts import Examples, ExamplesSplit, Splits, Stored, TransformedExamples, TransformedSplit
from components.artifacts.transformed import GraphOperation
from components.base.component import Component, ComponentConfig, Context
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.inference.transform_graph import scaling_graph
from components.runtime.disk import disk_space_guard
from components.transform.operations import InputConversion, Operation, TransformFunction

if TYPE_CHECKING:
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
        """Write two or three NumPy files per split, and the graph as JSON.

        Raises:
            ConfigError: if an operation does not fit the images, or a custom function fails.
        """
        with context.timed("imports"):
            from pydantic import TypeAdapter

            from components.inference.pictures import open_pictures
            from components.io.image_digests import find_shared_images

        artifact, output = examples.artifact, context.output
        with context.timed("fitting"):
            conversion = self._fit(examples, context)
        splits: dict[str, TransformedSplit] = {}
        digests: dict[str, NDArray[np.void]] = {}
        for name, split in artifact.splits.items():
            with context.timed("scaling"):
                splits[name], digests[name] = self._write_split(name, split, examples, conversion, context)
        (output / "graph.json").write_bytes(
            TypeAdapter(tuple[GraphOperation, ...]).dump_json(conversion.graph, indent=2, exclude_none=True) + b"\n"
        )
        with context.timed("comparing"):
            overlaps, shared_images = find_shared_images(digests)
            test_sha256 = open_pictures(output, splits["test"], conversion.graph).split_sha256()
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

    def _write_split(
        self, name: str, split: ExamplesSplit, examples: Stored[Examples], conversion: InputConversion, context: Context
    ) -> tuple[TransformedSplit, NDArray[np.void]]:
        """Write the files of a split; return their names, and the digest of each raw image."""
        import numpy as np

        from components.io.image_digests import image_digests
        from components.io.splits import array_writer

        output, count = context.output, split.count
        written = TransformedSplit(
            images=f"{name}_images.npy",
            labels=f"{name}_labels.npy",
            raw=f"{name}_raw.npy" if self.config.operations else None,
            count=count,
        )
        needed = count * (4 * prod(conversion.shape) + 8 + (prod(examples.artifact.image_shape) if written.raw else 0))
        no_raw = nullcontext(lambda _: None)
        digests, labels = [], []
        with (
            disk_space_guard(output, needed, f"the scaled {name} images"),
            array_writer(output / written.images, count) as write_inputs,
            array_writer(output / written.raw, count) if written.raw else no_raw as write_raw,
        ):
            for raw in self._batches(split, examples, conversion, context):
                digests.append(image_digests(raw.images))
                labels.append(raw.labels.copy())  # a view would keep the whole batch in memory
                write_inputs(conversion(raw.images))
                write_raw(raw.images)
            np.save(output / written.labels, np.concatenate(labels), allow_pickle=False)
        return written, np.concatenate(digests)

    def _batches(
        self, split: ExamplesSplit, examples: Stored[Examples], conversion: InputConversion, context: Context
    ) -> Iterator[ImageSplit[np.uint8]]:
        """Yield a raw split in batches that leave room for their conversion in the budget of memory."""
        from components.io.splits import iterate_examples

        # While a pixel is scaled, it takes 9 bytes: raw, cast and multiplied. Each operation makes copies.
        pixels, inputs = prod(examples.artifact.image_shape), prod(conversion.shape)
        rows = self.config.memory_budget // (9 * pixels + 16 * len(self.config.operations) * max(pixels, inputs))
        for raw in iterate_examples(examples, split, rows=max(1, min(MAX_BATCH_IMAGES, rows))):
            context.termination.check()
            yield raw

"""Transform: from raw images to scaled ones that can be memory-mapped, and the graph that scaled them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from components.artifacts import Examples, Splits, Stored, TransformedExamples, TransformedSplit
from components.base.component import Component, ComponentConfig, Context
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.inference.transform_graph import apply_numpy, scaling_graph
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import ExamplesSplit
    from components.io.splits import ImageSplit

BATCH = 1024
"""Images scaled at a time, if the budget allows: of MNIST's, as many as a processor's caches hold."""
HELD = 9
"""Bytes a pixel while it is scaled: raw, cast and multiplied."""


class TransformConfig(ComponentConfig):
    """Transform has nothing to choose but its memory: it divides by 255."""

    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Bytes of images to hold in memory at once; by default the job's. The result does not depend on it."""


class Transform(Component[TransformConfig]):
    """Scales every image to 0..1 and counts the images that stand in more than one split."""

    Config = TransformConfig
    libraries = ("numpy", "pyarrow")

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"memory_budget"})

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> TransformedExamples:
        """Write two NumPy files a split, and the graph as JSON.

        Raises:
            StorageError: if the disk is full.
        """
        with context.timed("imports"):
            import numpy as np
            from pydantic import TypeAdapter

            from components.artifacts import GraphOperation
            from components.io.image_digests import find_shared_images
            from components.io.splits import write_scaled

        stated, output = examples.artifact, context.output
        graph = scaling_graph()
        splits: dict[str, TransformedSplit] = {}
        digests: dict[str, NDArray[np.void]] = {}
        for name, split in stated.splits.items():
            written = TransformedSplit(images=f"{name}_images.npy", labels=f"{name}_labels.npy", count=split.count)
            needed = split.count * (prod(stated.image_shape) * 4 + 8)
            seen: list[NDArray[np.void]] = []
            with context.timed("scaling"), disk_space_guard(output, needed, f"the scaled {name} images"):
                batches = self._scaled(examples, split, context, seen)
                write_scaled(batches, output / written.images, output / written.labels, count=split.count)
            splits[name], digests[name] = written, np.concatenate(seen)
        (output / "graph.json").write_bytes(
            TypeAdapter(tuple[GraphOperation, ...]).dump_json(graph, indent=2, exclude_none=True) + b"\n"
        )
        with context.timed("comparing"):
            shared = find_shared_images(digests)
        return TransformedExamples(
            title=stated.source.title,
            image_shape=stated.image_shape,
            class_names=stated.class_names,
            graph_file="graph.json",
            graph=graph,
            overlaps=shared.overlaps,
            shared_images=shared.images,
            splits=Splits[TransformedSplit](**splits),
        )

    def _scaled(
        self, examples: Stored[Examples], split: ExamplesSplit, context: Context, seen: list[NDArray[np.void]]
    ) -> Iterator[ImageSplit[np.float32]]:
        """Yield a split scaled, piece by piece, and add the digests of each piece's raw images to `seen`."""
        from components.io.image_digests import image_digests
        from components.io.splits import ImageSplit, iterate_examples

        graph = scaling_graph()
        rows = self.config.memory_budget // (HELD * prod(examples.artifact.image_shape))
        for raw in iterate_examples(examples, split, rows=max(1, min(BATCH, rows))):
            context.termination.check()
            seen.append(image_digests(raw.images))
            yield ImageSplit(apply_numpy(graph, raw.images), raw.labels)

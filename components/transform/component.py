"""Transform: scales raw images to 0..1, and writes the graph that scaled them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from components.artifacts import Examples, ExamplesSplit, Splits, Stored, TransformedExamples, TransformedSplit
from components.artifacts.transformed import GraphOperation
from components.base.component import Component, ComponentConfig, Context
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.inference.transform_graph import apply_numpy, scaling_graph
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.io.splits import ImageSplit

MAX_BATCH_IMAGES = 1024
"""Maximum number of images scaled at a time: MNIST images of this number fit into a processor's cache."""


class TransformConfig(ComponentConfig):
    """Configuration of Transform, which always divides by 255."""

    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Bytes of images to hold in memory at once; by default the job's. The result does not depend on it."""


class Transform(Component[TransformConfig]):
    """Scales every image to 0..1, and counts the images that several splits share.

    >>> str(Transform.signature())
    '(examples: Stored[Examples]) -> TransformedExamples'
    """

    Config = TransformConfig
    libraries = ("numpy", "pyarrow")

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"memory_budget"})

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> TransformedExamples:
        """Write two NumPy files per split, and the graph as JSON."""
        with context.timed("imports"):
            import numpy as np
            from pydantic import TypeAdapter

            from components.io.image_digests import find_shared_images
            from components.io.splits import scaled_sha256, write_scaled

        artifact, output = examples.artifact, context.output
        graph = scaling_graph(artifact.image_shape[2])
        splits: dict[str, TransformedSplit] = {}
        digests: dict[str, NDArray[np.void]] = {}
        for name, split in artifact.splits.items():
            scaled = TransformedSplit(images=f"{name}_images.npy", labels=f"{name}_labels.npy", count=split.count)
            needed = split.count * (prod(artifact.image_shape) * 4 + 8)
            batch_digests: list[NDArray[np.void]] = []
            with context.timed("scaling"), disk_space_guard(output, needed, f"the scaled {name} images"):
                batches = self._scaled(examples, split, context, batch_digests)
                write_scaled(batches, output / scaled.images, output / scaled.labels, count=split.count)
            splits[name], digests[name] = scaled, np.concatenate(batch_digests)
        (output / "graph.json").write_bytes(
            TypeAdapter(tuple[GraphOperation, ...]).dump_json(graph, indent=2, exclude_none=True) + b"\n"
        )
        with context.timed("comparing"):
            overlaps, shared_images = find_shared_images(digests)
            test_sha256 = scaled_sha256(output, splits["test"])
        return TransformedExamples(
            title=artifact.source.title,
            image_shape=artifact.image_shape,
            class_names=artifact.class_names,
            graph_file="graph.json",
            graph=graph,
            overlaps=overlaps,
            shared_images=shared_images,
            splits=Splits[TransformedSplit](**splits),
            test_sha256=test_sha256,
        )

    def _scaled(
        self, examples: Stored[Examples], split: ExamplesSplit, context: Context, digests: list[NDArray[np.void]]
    ) -> Iterator[ImageSplit[np.float32]]:
        """Yield a scaled split in batches, and append the digests of the raw images of each batch to `digests`."""
        from components.io.image_digests import image_digests
        from components.io.splits import ImageSplit, iterate_examples

        graph = scaling_graph(examples.artifact.image_shape[2])
        # While a pixel is scaled, it takes 9 bytes: raw, cast and multiplied.
        rows = self.config.memory_budget // (9 * prod(examples.artifact.image_shape))
        for raw in iterate_examples(examples, split, rows=max(1, min(MAX_BATCH_IMAGES, rows))):
            context.termination.check()
            digests.append(image_digests(raw.images))
            yield ImageSplit(apply_numpy(graph, raw.images), raw.labels)

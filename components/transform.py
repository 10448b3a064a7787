"""Transform: from raw images to scaled ones that can be memory-mapped, and the graph that scaled them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from components.artifacts import (
    Examples,
    SplitOverlap,
    Splits,
    Stored,
    TransformedExamples,
    TransformedSplit,
)
from components.component import Component, ComponentConfig, Context
from components.data.transform_graph import apply_numpy, scaling_graph
from components.runtime.disk import room_for

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TransformConfig(ComponentConfig):
    """Transform has nothing to choose: it divides by 255."""


class Transform(Component[TransformConfig]):
    """Scales every image to 0..1 and counts the images that stand in more than one split."""

    Config = TransformConfig
    libraries = ("numpy", "pyarrow")

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> TransformedExamples:
        """Write two NumPy files a split, and the graph as JSON."""
        with context.timed("imports"):
            from pydantic import TypeAdapter

            from components.artifacts import GraphOperation
            from components.data.formats import ImageSplit, read_examples, write_scaled

        stated, output = examples.artifact, context.output
        graph = scaling_graph()
        splits: dict[str, TransformedSplit] = {}
        seen: dict[str, list[bytes]] = {}
        for name, split in stated.splits.items():
            context.termination.check()
            with context.timed("reading"):
                raw = read_examples(examples, split)
            with context.timed("comparing"):
                seen[name] = image_digests(raw.images)
            written = TransformedSplit(images=f"{name}_images.npy", labels=f"{name}_labels.npy", count=len(raw))
            with context.timed("scaling"):
                scaled = ImageSplit(apply_numpy(graph, raw.images), raw.labels)
            with (
                context.timed("writing"),
                room_for(output, scaled.images.nbytes + scaled.labels.nbytes, f"the scaled {name} images"),
            ):
                write_scaled(scaled, output / written.images, output / written.labels)
            splits[name] = written
        (output / "graph.json").write_bytes(
            TypeAdapter(tuple[GraphOperation, ...]).dump_json(graph, indent=2, exclude_none=True) + b"\n"
        )
        distinct = {name: set(digests) for name, digests in seen.items()}
        overlaps = tuple(
            SplitOverlap(splits=(one, other), images=len(distinct[one] & distinct[other]))
            for one, other in combinations(distinct, 2)
        )
        twice = set().union(*(distinct[one] & distinct[other] for one, other in combinations(distinct, 2)))
        shared = sum(digest in twice for digests in seen.values() for digest in digests)
        if shared:
            pairs = ", ".join(f"{overlap.images} in {' and '.join(overlap.splits)}" for overlap in overlaps)
            context.progress.message(f"{shared} images stand in more than one split; distinct ones: {pairs}")
        return TransformedExamples(
            title=stated.source.title,
            image_shape=stated.image_shape,
            class_names=stated.class_names,
            graph_file="graph.json",
            graph=graph,
            overlaps=overlaps,
            shared_images=shared,
            splits=Splits[TransformedSplit](**splits),
        )


def image_digests(images: NDArray[Any]) -> list[bytes]:
    """Return a 16-byte digest (BLAKE2b) of each image."""
    from hashlib import blake2b

    return [blake2b(image.tobytes(), digest_size=16).digest() for image in images]

"""Read the training split of a root once, as the Trainer does in an epoch, and print time and memory.

python -m tests.benchmarks.epoch ROOT
"""

from __future__ import annotations

import sys
from pathlib import Path

from components import Stored, TransformedExamples
from components.base.memory import DEFAULT_MEMORY_BUDGET
from components.base.timing import read_clocks
from components.runtime.resources import peak_memory
from components.runtime.tensorflow import import_tensorflow
from job.store.manifest import Manifest


def main(root: Path) -> None:
    """Load the split in blocks that fit into the default memory budget."""
    import_tensorflow()
    from components.inference.split_images import open_scaled
    from components.trainer.device_cache import DeviceCache, rows_within_budget

    (folder,) = (path.parent for path in root.glob("artifacts/transform/*/manifest.json"))
    artifact = Manifest.model_validate_json((folder / "manifest.json").read_bytes()).artifact
    assert isinstance(artifact, TransformedExamples)
    transformed = Stored(artifact, folder)
    splits = artifact.splits
    train, validation = (open_scaled(transformed, split) for split in (splits.train, splits.validation))
    rows, _ = rows_within_budget(DEFAULT_MEMORY_BUDGET, train, validation)
    before = read_clocks()
    blocks = list(DeviceCache(train).load_in_blocks(rows))
    took = read_clocks() - before
    memory = (peak_memory() or 0) / 1e9
    cost = f"{took.seconds:.0f} s, {took.cpu_seconds:.1f} CPU-s, {memory:.2f} GB"
    print(f"{sum(blocks):,} images in {len(blocks)} blocks: {cost}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""ExampleGen: from a source to labelled raw images in three splits."""

from __future__ import annotations

from typing import Any

from components.artifacts import Examples, Stored
from components.base.component import Component, ComponentConfig, Context, Seed
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.example_gen.sources import AnySource, DigitsSource
from components.example_gen.split_config import SplitConfig
from components.example_gen.validation.config import ChecksConfig


class ExampleGenConfig(ComponentConfig):
    """What ExampleGen reads and how it splits it."""

    source: AnySource = DigitsSource()
    """Where the images come from."""
    split: SplitConfig = SplitConfig()
    """How they are split."""
    checks: ChecksConfig = ChecksConfig()
    """What is looked for in them, and how grave it is."""
    baseline: str | None = None
    """Examples to measure drift against: `latest-blessed` for those of the last run whose model was blessed, a run's
    id, or the path of an artifact; by default none."""
    seed: Seed = 0
    """Decides the shuffle; by default the job's seed."""
    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Bytes of images to hold in memory at once; by default the job's. The result does not depend on it."""


class ExampleGen(Component[ExampleGenConfig]):
    """Reads a source, checks it, and splits it with stratified shuffling."""

    Config = ExampleGenConfig
    libraries = ("numpy", "pandas", "pyarrow", "scikit-learn", "pillow")

    def identity(self) -> dict[str, Any]:
        # Where the data lies does not decide the result; what it is does.
        source = {"kind": self.config.source.kind, **self.config.source.identity()}
        split = self.config.split.model_dump(mode="json")
        if self.config.split.strategy == "stratified":
            split["test"] = self.config.split.test_share
        checks = self.config.checks.model_dump(mode="json")
        return {"source": source, "split": split, "checks": checks, "seed": self.config.seed}

    def references(self) -> dict[str, str]:
        return {} if self.config.baseline is None else {"baseline": self.config.baseline}

    def run(self, context: Context, /, *, baseline: Stored[Examples] | None = None) -> Examples:
        """Write one Parquet file a split, and what was found in the data.

        Raises:
            DataError: if the source is missing, malformed, or too small to split, or if a check
                whose level is `error` found something.
            ConfigError: if the `official` strategy is asked of a source without a test set.
            StorageError: if the disk is full; beside the files, it needs room for all images once or twice.
        """
        with context.timed("imports"):
            from components.example_gen.validation.image_index import ImageIndex
            from components.example_gen.validation.validate import check_examples
            from components.example_gen.write import no_observer, write_dataset
            from components.io.raw_images import scratch_folder

        source, split, checks = self.config.source, self.config.split, self.config.checks
        seen = ImageIndex()
        with scratch_folder(context.output) as scratch:
            with context.timed("reading"):
                dataset = source.load(context, scratch)
            context.termination.check()
            with context.timed("splitting"):
                examples = write_dataset(
                    dataset,
                    split,
                    context,
                    scratch,
                    seed=self.config.seed,
                    source_kind=source.kind,
                    source_identity=source.identity(),
                    memory_budget=self.config.memory_budget,
                    watcher=seen.add if checks.look_at_images else no_observer,
                )
        with context.timed("checking"):
            return check_examples(
                examples, seen, checks, context, baseline=None if baseline is None else baseline.artifact
            )

"""ExampleGen: reads a source of labelled images and writes three splits."""

from collections.abc import Mapping
from typing import Any

from components.artifacts import Artifact, Examples, Stored
from components.base.component import Component, ComponentConfig, Context, Seed
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.example_gen.sources import AnySource, DigitsSource
from components.example_gen.split import SplitConfig
from components.example_gen.validation.config import ValidationConfig
from components.object_storage import local_copies
from components.object_storage.location import Reference


class ExampleGenConfig(ComponentConfig):
    """The source, how it is split, and how it is validated."""

    source: AnySource = DigitsSource()
    """The source of the images."""
    split: SplitConfig = SplitConfig()
    """How the images are split."""
    checks: ValidationConfig = ValidationConfig()
    """The checks of the data, with the level of each anomaly."""
    baseline: Reference | None = None
    """The examples that drift is measured from: `latest-blessed` for those of the last run whose model was blessed, any
    name of a run, or the path of an artifact. By default drift is not measured."""
    seed: Seed = 0
    """Seed of the shuffle; by default the job's seed."""
    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Bytes of images to hold in memory at once; by default the job's. The result does not depend on it."""


class ExampleGen(Component[ExampleGenConfig]):
    """Reads a source, splits it with stratified shuffling, and validates the examples.

    >>> ExampleGen(ExampleGenConfig(source=DigitsSource(size=28), seed=1)).identity()["source"]["kind"]
    'digits'
    """

    Config = ExampleGenConfig
    libraries = ("numpy", "pandas", "pyarrow", "scikit-learn", "pillow")

    def identity(self) -> dict[str, Any]:
        # The location of the data does not affect the result; its content does.
        source = {"kind": self.config.source.kind, **self._source_identity()}
        split = self.config.split.model_dump(mode="json")
        if self.config.split.strategy == "stratified":
            split["test"] = self.config.split.test_fraction
        checks = self.config.checks.model_dump(mode="json")
        return {"source": source, "split": split, "checks": checks, "seed": self.config.seed}

    def _source_identity(self) -> dict[str, str]:
        source = self.config.source
        with local_copies():
            identity = source.identity()
        return identity | ({} if source.channels == "auto" else {"channels": str(source.channels)})

    def references(self) -> dict[str, str]:
        return {} if self.config.baseline is None else {"baseline": self.config.baseline}

    def mismatch(self, name: str, candidate: Artifact, inputs: Mapping[str, Artifact]) -> str:  # noqa: ARG002
        match candidate:
            case Examples(source=source) if self.config.source.is_version_of(source):
                return ""
        return "of another data set"

    def run(self, context: Context, /, *, baseline: Stored[Examples] | None = None) -> Examples:
        """Write the Parquet files of each split, and `anomalies.csv` if images are anomalous.

        Scratch files take the size of all images once or twice.
        """
        with context.timed("imports"):
            from components.example_gen.validation.image_checks import ImageIndex
            from components.example_gen.validation.validate import validate_examples
            from components.example_gen.write import write_dataset
            from components.io.raw_images import scratch_folder

        source, checks = self.config.source, self.config.checks
        index = ImageIndex()
        with local_copies(), scratch_folder(context.output) as scratch:
            with context.timed("reading"):
                dataset = source.load(context, scratch)
                dataset = dataset.with_channels(source.channels, scratch, context.termination.check)
            context.termination.check()
            with context.timed("splitting"):
                examples = write_dataset(
                    dataset,
                    self.config.split,
                    context,
                    scratch,
                    seed=self.config.seed,
                    source_kind=source.kind,
                    source_identity=self._source_identity(),
                    memory_budget=self.config.memory_budget,
                    index=index if checks.needs_images else None,
                )
        with context.timed("validating"):
            other = None if baseline is None else baseline.artifact
            return validate_examples(examples, index, checks, context, baseline=other)

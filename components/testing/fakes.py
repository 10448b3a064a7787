"""Fakes: small components that do real work in milliseconds, without internet access or TensorFlow.

They pass the same contract as the real components and can be mixed with them in one pipeline: FakeExampleGen's images
train a real Trainer, and the real Evaluator scores FakeTrainer's model, a nearest-centroid classifier.
"""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from components.artifacts import Evaluation, Examples, Figures, Model, PushedModel, TransformedExamples
from components.artifacts.base import SPLITS, Splits, Stored, raw_shape
from components.artifacts.figures import Figure
from components.artifacts.model import Export
from components.artifacts.transformed import SplitOverlap, TransformedShard, TransformedSplit
from components.base.component import Component, ComponentConfig, Context, PlannedPublication, Seed
from components.base.memory import DEFAULT_MEMORY_BUDGET
from components.base.progress import Progress
from components.example_gen.split import SplitConfig
from components.object_storage.location import UserLocation, path_or_text


class FakeExampleGenConfig(ComponentConfig):
    """Configuration of FakeExampleGen."""

    classes: Annotated[int, Field(strict=True, ge=2, le=100)] = 3
    per_class: Annotated[int, Field(strict=True, ge=3)] = 40
    size: Annotated[int, Field(strict=True, ge=4)] = 16
    """Height and width in pixels."""
    channels: Literal[1, 3] = 1
    """3 for images in color: then all squares have one position, and each class has a color."""
    seed: Seed = 0


class FakeExampleGen(Component[FakeExampleGenConfig]):
    """Generates images: each class is a bright square at its own position, in noise."""

    Config = FakeExampleGenConfig
    libraries = ("numpy", "pandas", "pyarrow", "scikit-learn")

    def run(self, context: Context, /) -> Examples:
        import numpy as np

        from components.example_gen.sources.base import Dataset
        from components.example_gen.write import write_dataset
        from components.io.raw_images import LabelledImages, scratch_folder, spool_images

        config = self.config
        random = np.random.default_rng(config.seed)
        labels = np.repeat(np.arange(config.classes, dtype=np.int64), config.per_class)
        shape = raw_shape((config.size, config.size, config.channels))
        images = random.integers(0, 80, (len(labels), *shape), dtype=np.uint8)
        side = config.size // 4
        positions = random.permutation((config.size - side) ** 2)[: config.classes]
        for label, position in enumerate(positions):
            top, left = divmod(int(position), config.size - side)
            if config.channels == 1:
                images[labels == label, top : top + side, left : left + side] += 150
            else:
                color = [35 * (label // step % 5) for step in (1, 5, 25)]
                images[labels == label, :side, :side] += np.array(color, np.uint8)
        with scratch_folder(context.output) as scratch:
            with spool_images(
                scratch / "squares", height=config.size, width=config.size, channels=config.channels
            ) as spool:
                spool.append(images)
            dataset = Dataset(
                title="made-up squares",
                class_names=tuple(str(label) for label in range(config.classes)),
                train=LabelledImages(spool.images(), labels),
                test=None,
            )
            return write_dataset(
                dataset,
                SplitConfig(),
                context,
                scratch,
                seed=config.seed,
                source_kind="fake",
                source_identity={},
                memory_budget=DEFAULT_MEMORY_BUDGET,
            )


class FakeTransformConfig(ComponentConfig):
    """Configuration of FakeTransform."""

    limit: Annotated[int, Field(strict=True, ge=1)] = 1000
    """Maximum number of images per split, so that training on real data is fast."""


class FakeTransform(Component[FakeTransformConfig]):
    """Scales the first images of each split, and does not count shared images."""

    Config = FakeTransformConfig
    libraries = ("numpy", "pyarrow")

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> TransformedExamples:
        import numpy as np

        from components.inference.split_images import pictures_in
        from components.inference.transform_graph import scaling_graph
        from components.io.splits import iterate_examples

        artifact = examples.artifact
        graph = scaling_graph(artifact.image_shape[2])
        splits = {}
        for name, split in artifact.splits.items():
            raw = next(iterate_examples(examples, split, rows=self.config.limit))
            shard = TransformedShard(raw=f"{name}.npy", labels=f"{name}_labels.npy", count=len(raw))
            splits[name] = TransformedSplit(shards=(shard,))
            np.save(context.output / shard.raw, raw.images, allow_pickle=False)
            np.save(context.output / shard.labels, raw.labels, allow_pickle=False)
        (context.output / "graph.json").touch()
        return TransformedExamples(
            title=artifact.source.title,
            image_shape=artifact.image_shape,
            class_names=artifact.class_names,
            graph_file="graph.json",
            graph=graph,
            overlaps=tuple(SplitOverlap(splits=pair, images=0) for pair in combinations(SPLITS, 2)),
            splits=Splits[TransformedSplit](**splits),
            test_sha256=pictures_in(context.output, splits["test"], graph).split_sha256(),
        )


class FakeTrainerConfig(ComponentConfig):
    """Configuration of FakeTrainer, which does not use the seed."""

    seed: Seed = 0
    saved_model: Annotated[bool, Field(strict=True)] = False
    """Also write a placeholder of a SavedModel, which can be copied but not loaded."""


class FakeTrainer(Component[FakeTrainerConfig]):
    """Computes the mean image of each class; the nearest one is the prediction, which is a linear model.

    |x - c|² = |x|² - 2 c·x + |c|², and |x|² is the same for every class c.
    """

    Config = FakeTrainerConfig
    libraries = ("numpy", "scikit-learn")

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        import numpy as np

        from components.inference import write_linear_model
        from components.inference.split_images import read_scaled

        train = read_scaled(transformed, transformed.artifact.splits.train)
        pixels = train.images.reshape(len(train), -1)
        labels = range(len(transformed.artifact.class_names))
        centroids = np.stack([pixels[train.labels == label].mean(axis=0) for label in labels])
        weights, bias = 2 * centroids.T, -(centroids**2).sum(axis=1)
        model = write_linear_model(weights, bias, transformed=transformed, output=context.output, seed=self.config.seed)
        if not self.config.saved_model:
            return model
        for name in ("saved_model.pb", "variables/variables.index", "assets.extra/tf_serving_warmup_requests"):
            path = context.output / "saved_model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} of {model.weights_sha256}\n")
        export = Export(
            format="saved_model", file="saved_model", images=1, largest_difference=0.0, tolerance=0.0, same_class=1.0
        )
        return model.model_copy(update={"exports": (export,)})


class FakeEvaluatorConfig(ComponentConfig):
    """Configuration of FakeEvaluator."""

    accuracy: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    """Fraction of correct predictions on the test images."""
    minimum: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.9
    """Minimum accuracy of a blessed model."""


class FakeEvaluator(Component[FakeEvaluatorConfig]):
    """Scores generated predictions of the configured accuracy, without using the model."""

    Config = FakeEvaluatorConfig
    libraries = ("numpy", "pandas", "pyarrow", "scikit-learn")

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples], model: Stored[Model]) -> Evaluation:
        import numpy as np

        from components.evaluator.config import EvaluatorConfig, Threshold
        from components.evaluator.evaluation import make_evaluation, write_evaluation
        from components.evaluator.predictions import Predictions
        from components.inference.split_images import open_pictures

        names = transformed.artifact.class_names
        test = open_pictures(transformed, transformed.artifact.splits.test)
        wrong = np.arange(len(test)) >= round(self.config.accuracy * len(test))
        probabilities = np.eye(len(names), dtype=np.float32)[(test.labels + wrong) % len(names)]
        predictions = Predictions(test.labels, probabilities, test.digests())
        config = EvaluatorConfig(thresholds={"accuracy": Threshold(minimum=self.config.minimum)})
        evaluation = make_evaluation(predictions, names, config, weights_sha256=model.artifact.weights_sha256)
        write_evaluation(evaluation, predictions, context.output)
        return evaluation


class FakeVisualizer(Component[ComponentConfig]):
    """Writes the mean test image as its only figure. It has no options."""

    Config = ComponentConfig
    libraries = ("numpy", "pillow")

    def run(
        self,
        context: Context,
        /,
        *,
        examples: Stored[Examples],  # noqa: ARG002
        transformed: Stored[TransformedExamples],
        model: Stored[Model],  # noqa: ARG002
        evaluation: Stored[Evaluation],
    ) -> Figures:
        import numpy as np
        from PIL import Image

        from components.inference.split_images import open_pictures

        mean = open_pictures(transformed, transformed.artifact.splits.test)[:].mean(axis=0)
        pixels = np.rint(mean * 255).astype(np.uint8)
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(context.output / "mean.png")
        accuracy = evaluation.artifact.metrics.accuracy
        figure = Figure(name="mean", file="mean.png", title="Mean image", alt=f"accuracy {accuracy:.0%}")
        return Figures(figures=(figure,))


class FakePusherConfig(ComponentConfig):
    """Configuration of FakePusher."""

    destination: UserLocation | None = None
    """The folder or URL of the versions; None to publish nothing."""


class FakePusher(Component[FakePusherConfig]):
    """Pushes every model, blessed or not; its weights file is the placeholder of a SavedModel."""

    Config = FakePusherConfig

    def identity(self) -> dict[str, Any]:
        return {}

    def run(self, context: Context, /, *, model: Stored[Model], evaluation: Stored[Evaluation]) -> PushedModel:
        from components.pusher.metadata import write_statement
        from components.pusher.servable import SAVED_MODEL_FILE, SERVABLE_DIRECTORY, describe_servable

        directory = context.output / SERVABLE_DIRECTORY
        directory.mkdir()
        (directory / SAVED_MODEL_FILE).write_bytes((model.directory / model.artifact.file).read_bytes())
        servable = describe_servable(directory, model.artifact, evaluation.artifact)
        write_statement(servable, directory)
        return PushedModel(servable=servable, directory=SERVABLE_DIRECTORY)

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:
        from components.pusher.publish import publish_artifact

        destination = self.config.destination
        return "" if destination is None else publish_artifact(destination, sealed, progress)

    def planned_publication(
        self,
        sealed: Stored[PushedModel] | None,
        inputs: Mapping[str, Stored[Any]],  # noqa: ARG002
    ) -> PlannedPublication:
        from components.pusher.publish import plan_publication

        servable = None if sealed is None else sealed.artifact.servable
        if (destination := self.config.destination) is None:
            return PlannedPublication()
        return PlannedPublication(plan_publication(destination, None if servable is None else servable.content_sha256))

    def publish_destination(self) -> Path | str | None:
        return None if self.config.destination is None else path_or_text(self.config.destination)

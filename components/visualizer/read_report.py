"""Reading of the report's data from the artifacts of a run."""

from components.artifacts import Evaluation, Examples, Model, Stored, TransformedExamples
from components.base.component import Context
from components.inference.predictor import load_network
from components.inference.split_images import SplitImages
from components.inference.transform_graph import input_graph
from components.io.splits import read_predictions
from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps, example_images
from components.visualizer.learning_curves import read_steps
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.report_data import ReportData
from components.visualizer.sketchpad import render_sketchpad
from components.visualizer.training_images import TrainingImages, read_augmented


def read_report(
    examples: Examples,
    transformed: Stored[TransformedExamples],
    model: Stored[Model],
    evaluation: Stored[Evaluation],
    test: SplitImages,
    *,
    rows: tuple[int, ...],
    context: Context,
) -> ReportData:
    """Return the data of the report and of the figures; `rows` of the test split have feature maps.

    Raises:
        ConfigError: if the test split does not have one of the rows.
    """
    with context.timed("reading"):
        predictions = read_predictions(evaluation)
        images = example_images(test, examples.class_names, rows)
        training_images = TrainingImages.read(transformed)
    with context.timed("inference"):
        network = load_network(model) if model.artifact.format == "keras" else None
        graph = input_graph(transformed.artifact.graph)
        return ReportData(
            examples=examples,
            transformed=transformed.artifact,
            model=model.artifact,
            evaluation=evaluation.artifact,
            mistakes=ConfidentMistakes.from_predictions(test, predictions, examples.class_names),
            training_images=training_images,
            augmented=read_augmented(model, transformed),
            steps=read_steps(model),
            kernels=NetworkKernels.of(model, network),
            feature_maps=None if network is None else FeatureMaps.compute(network, images, graph),
            sketchpad=render_sketchpad(model, network, test, graph=graph),
        )

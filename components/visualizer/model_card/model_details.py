"""The tables of the model card about the model itself: its kind, its files, and how it was trained."""

from __future__ import annotations

from components.artifacts import Examples, ExportFormat, Model
from components.base.markdown import Markdown, code
from components.visualizer.format import TextTable, counted, percent, plain_number
from components.visualizer.report_data import Statements

KINDS = {
    "keras": "convolutional network (Keras)",
    "linear": "linear model: one weight for each pixel and class, and a softmax",
}
RUNTIMES: dict[ExportFormat, str] = {
    "keras": "Keras",
    "saved_model": "TensorFlow, TensorFlow Serving",
    "litert": "LiteRT",
    "onnx": "ONNX Runtime",
}


MIDDLE_GREY = 127.5


def tone(examples: Examples) -> str:
    """Return whether the training images are dark or bright on average."""
    dark = examples.splits.train.pixel_mean < MIDDLE_GREY
    return "bright strokes on a dark background" if dark else "dark strokes on a bright background"


def model_table(model: Model) -> TextTable:
    early = ", stopped early" if model.stopped_early else ""
    accuracy = percent(model.best.val_accuracy)
    return TextTable(
        ("Property", "Value"),
        (
            ("Kind", KINDS[model.format]),
            ("Parameters", f"{model.parameters:,}"),
            ("Training", f"{counted(len(model.history), 'epoch')}{early}"),
            ("Weights", f"those of epoch {model.best_epoch}, with {accuracy} accuracy on the validation images"),
            ("SHA-256 of the weights", code(model.weights_sha256)),
        ),
    )


def files_table(model: Model) -> TextTable:
    """Return one row a file, relative to the directory of the Model artifact."""
    height, width, channels = model.image_shape
    raw_images = Markdown(f"`images`: raw images, `uint8 [batch, {height}, {width}]`, 0 to 255")
    probabilities = f"`float32 [batch, {len(model.class_names)}]`"
    rows = []
    for export in model.exports:
        label = "" if export.format == "keras" else "; `label`, `int64 [batch]`"
        difference = plain_number(export.largest_difference, ".2g")
        tolerance = plain_number(export.tolerance, "g")
        rows.append(
            (
                code(f"{export.file}/" if export.format == "saved_model" else export.file),
                RUNTIMES[export.format],
                raw_images,
                Markdown(f"`probabilities`, {probabilities}{label}"),
                f"{difference} (at most {tolerance}), {counted(export.images, 'image')}",
            )
        )
    if model.file not in {export.file for export in model.exports}:
        scaled_images = Markdown(f"scaled images, `float32 [batch, {height}, {width}, {channels}]`, 0 to 1")
        outputs = {
            "keras": Markdown(f"the probability of each class, {probabilities}"),
            "linear": Markdown("none: the file holds `weights` and `bias`"),
        }
        rows.append((code(model.file), "", scaled_images, outputs[model.format], ""))
    return TextTable(("File", "Runtime", "Inputs", "Outputs", "Difference"), tuple(rows))


def training_table(statements: Statements) -> TextTable:
    """Return the seeds and the environment of the training."""
    environment = statements.model.environment
    return TextTable(
        ("Name", "Value"),
        (
            ("seed of the training", f"{environment.seed}"),
            ("seed of the splits", f"{statements.examples.seed}"),
            ("Python", environment.python),
            *environment.versions.items(),
            ("device", environment.device),
            ("threads", f"{environment.threads}"),
        ),
    )

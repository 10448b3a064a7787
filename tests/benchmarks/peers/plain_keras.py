"""The plain Keras script that the job replaces: one file, `fit()`, three figures.

Source: the first recipe of the job: 32, 64 and 64 filters of 3x3 (`same`), each with max-pooling, dense 128 and 64,
softmax; Adam and batches of 32, the defaults of Keras; early stopping with patience 3 and the best weights restored; a
stratified tenth of the 60,000 for validation; scored on the official 10,000.

For the benchmark only, it scores the test images after every epoch, to measure the training time to a given accuracy.
That is neither in `training` nor in the seconds of the curve; its time is printed as `excluded`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from common import Stopwatch, make_parser, print_result, read_mnist
from keras import layers
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

TEST_BATCH_SIZE = 1000


class TestAccuracy(keras.callbacks.Callback):  # type: ignore[misc]
    """Scores the test images after every epoch, with the stopwatch of training stopped."""

    def __init__(self, images: Any, labels: Any, *, training: Stopwatch) -> None:
        super().__init__()
        self.images, self.labels = images, labels
        self.training, self.excluded = training, Stopwatch()
        self.curve: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.training.stop()
        self.excluded.start()
        starts = range(0, len(self.images), TEST_BATCH_SIZE)
        outputs = [self.model(self.images[start : start + TEST_BATCH_SIZE], training=False) for start in starts]
        right = np.concatenate(outputs).argmax(axis=1) == self.labels
        self.excluded.stop()
        self.curve.append(
            {"epoch": epoch + 1, "accuracy": float(right.mean()), "cpu_seconds": self.training.cpu_seconds}
        )
        self.training.start()


def main() -> None:
    parser = make_parser(__doc__, epochs=30)
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the figures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(options.seed)

    mnist = read_mnist(options.folder)
    images = mnist.train_images[..., np.newaxis].astype("float32") / 255
    test_images = mnist.test_images[..., np.newaxis].astype("float32") / 255
    train_images, validation_images, train_labels, validation_labels = train_test_split(
        images, mnist.train_labels, test_size=0.1, stratify=mnist.train_labels, random_state=options.seed
    )

    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    training = Stopwatch()
    test_accuracy = TestAccuracy(test_images, mnist.test_labels, training=training)
    training.start()
    fitted = network.fit(
        train_images,
        train_labels,
        batch_size=32,
        epochs=options.epochs,
        validation_data=(validation_images, validation_labels),
        callbacks=[test_accuracy, keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)],
        verbose=0,
    )
    training.stop()

    _, accuracy = network.evaluate(test_images, mnist.test_labels, verbose=0)
    predicted = network.predict(test_images, verbose=0).argmax(axis=1)
    draw(network, fitted.history, confusion_matrix(mnist.test_labels, predicted), test_images[:1], options.output)
    print_result(
        accuracy=accuracy,
        training=training,
        parameters=network.count_params(),
        epochs=len(test_accuracy.curve),
        curve=test_accuracy.curve,
        excluded=test_accuracy.excluded.to_json(),
    )


def draw(network: Any, history: dict[str, list[float]], confusion: Any, image: Any, output: Path) -> None:
    """Write learning curves, confusion matrix, and the first feature maps of an image."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4))
    for panel, name in zip(panels, ("loss", "accuracy"), strict=True):
        panel.plot(history[name], label="training")
        panel.plot(history[f"val_{name}"], label="validation")
        panel.set(title=name, xlabel="epoch")
        panel.legend()
    figure.savefig(output / "curves.png")

    figure, axes = plt.subplots(figsize=(8, 7))
    sns.heatmap(confusion, annot=True, fmt="d", cmap="Blues", ax=axes)
    axes.set(title="Confusion matrix", xlabel="predicted", ylabel="true")
    figure.savefig(output / "confusion_matrix.png")

    maps = keras.Model(network.inputs[0], network.layers[0].output)(image).numpy()[0]
    figure, grid = plt.subplots(4, 8, figsize=(10, 5))
    for number, axes in enumerate(grid.flat):
        axes.imshow(maps[..., number], cmap="viridis")
        axes.axis("off")
    figure.savefig(output / "feature_maps.png")
    plt.close("all")


if __name__ == "__main__":
    main()

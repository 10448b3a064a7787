"""A bare script for everything that the `mnist-fast` job does except training, to measure the overhead of the job.

It writes the same kinds of files with the same content, in the same order, and keeps everything in memory. It reads
the IDX files, splits off a stratified tenth for validation, writes a Parquet file for each split, counts images that
are in two splits, and writes scaled images and labels as .npy. It builds the network, trains for a few steps
(reported as `training`, as in the job), and saves a .keras file, a SavedModel for raw images, and the history. It
predicts and scores the test and validation images, runs the SavedModel on raw images in another process, predicts a
hundred images with seven corruptions of five severities each, and writes metrics and predictions. It draws five
figures of the same size and puts them on a page.

The job does more: digests, manifests, lineage, locks, flushing to disk, reading back, checks of its inputs, intervals,
slices, charts, a sketchpad, configuration and progress. The script reports the CPU-seconds of each part.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from common import Stopwatch, make_parser, print_result, read_mnist

CONVOLUTIONS = ((16, 5, "valid"), (32, 3, "valid"), (64, 3, "same"))
DENSE = (128, 64)
BATCH_SIZE, STEPS = 128, 5
CLASSES = 10


SERVE = """
import sys
import numpy as np
import tensorflow as tf

served = tf.saved_model.load(sys.argv[1] + "/saved_model").signatures["serving_default"]
probabilities = served(images=tf.constant(np.load(sys.argv[1] + "/raw.npy")))["probabilities"].numpy()
np.save(sys.argv[1] + "/served.npy", probabilities)
"""


class Parts:
    """CPU-seconds by part, child processes included. A part begins at the end of the part before it."""

    def __init__(self) -> None:
        self.cpu_seconds: dict[str, float] = {}
        self._ended = 0.0  # the CPU clock of a process starts at 0

    def done(self, part: str) -> None:
        children = os.times()
        now = time.process_time() + children.children_user + children.children_system
        self.cpu_seconds[part] = now - self._ended
        self._ended = now


def main() -> None:
    parser = make_parser(__doc__, epochs=1)
    parser.add_argument("--output", type=Path, required=True, help="folder for all files")
    options = parser.parse_args()
    output = options.output
    output.mkdir(parents=True, exist_ok=True)
    parts = Parts()
    parts.done("start")

    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.model_selection import train_test_split

    parts.done("import pandas, scikit-learn")
    mnist = read_mnist(options.folder)
    parts.done("read")

    frames = {
        name: pd.DataFrame(
            {
                "id": [f"{name}/{row}" for row in range(len(labels))],
                "label": labels.astype(np.int64),
                "image": pd.arrays.ArrowExtensionArray(
                    pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), images[0].size)
                ),
            }
        )
        for name, images, labels in (
            ("train", mnist.train_images, mnist.train_labels),
            ("test", mnist.test_images, mnist.test_labels),
        )
    }
    kept, held_out = train_test_split(
        np.arange(len(mnist.train_labels)), test_size=0.1, stratify=mnist.train_labels, random_state=options.seed
    )
    shuffled = np.random.default_rng(options.seed).permutation(len(mnist.test_labels))
    rows = {"train": ("train", kept), "validation": ("train", held_out), "test": ("test", shuffled)}
    for name, (origin, chosen) in rows.items():
        table = pa.Table.from_pandas(frames[origin].iloc[chosen], preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, output / f"{name}.parquet", compression="zstd", use_dictionary=["label"])
    parts.done("split, write Parquet")

    images = {"train": mnist.train_images, "test": mnist.test_images}
    raw = {name: images[origin][chosen] for name, (origin, chosen) in rows.items()}
    seen = {name: {image.tobytes() for image in split} for name, split in raw.items()}
    overlaps = {f"{one}, {other}": len(seen[one] & seen[other]) for one, other in combinations(seen, 2)}
    parts.done("find images in two splits")

    scaled = {name: split.astype(np.float32)[..., np.newaxis] / np.float32(255) for name, split in raw.items()}
    labels = {name: frames[origin]["label"].to_numpy()[chosen] for name, (origin, chosen) in rows.items()}
    for name in rows:
        np.save(output / f"{name}_images.npy", scaled[name])
        np.save(output / f"{name}_labels.npy", labels[name])
    parts.done("scale, write .npy")

    import keras
    import tensorflow as tf

    parts.done("import TensorFlow")
    keras.utils.set_random_seed(options.seed)
    network = build(keras)
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    parts.done("build")
    training = Stopwatch()
    training.start()
    fitted = network.fit(
        scaled["train"][: STEPS * BATCH_SIZE],
        labels["train"][: STEPS * BATCH_SIZE],
        batch_size=BATCH_SIZE,
        epochs=options.epochs,
        validation_data=(scaled["validation"][:BATCH_SIZE], labels["validation"][:BATCH_SIZE]),
        verbose=0,
    )
    training.stop()
    parts.done("training")

    network.save(output / "model.keras")
    save_for_serving(tf, network, output / "saved_model")
    pd.DataFrame(fitted.history).to_csv(output / "history.csv")
    parts.done("save")
    probabilities = network.predict(scaled["test"], batch_size=1000, verbose=0)
    network.predict(scaled["validation"], batch_size=1000, verbose=0)
    parts.done("predict")
    served = serve(output, raw["test"][:200])
    print("largest difference of the SavedModel:", float(np.abs(served - probabilities[:200]).max()))
    parts.done("run the SavedModel")
    for images in corrupted(scaled["test"][:100]):
        network.predict(images, batch_size=1000, verbose=0)
    parts.done("corrupt and predict")
    confusion = evaluate(labels["test"], probabilities, overlaps, output)
    parts.done("evaluate")

    from figures import draw

    parts.done("import seaborn")
    maps = keras.Model(network.inputs[0], network.layers[1].output)(scaled["test"][:1]).numpy()[0]
    draw(fitted.history, confusion, maps, scaled["test"], labels, probabilities, output)
    encoded = [base64.b64encode(path.read_bytes()).decode() for path in sorted(output.glob("*.png"))]
    page = "".join(f'<img src="data:image/png;base64,{image}">' for image in encoded)
    (output / "report.html").write_text(f"<!doctype html><title>MNIST</title>{page}")
    parts.done("draw")
    print_result(
        accuracy=None,
        training=training,
        parameters=network.count_params(),
        epochs=options.epochs,
        parts=parts.cpu_seconds,
    )


def build(keras: Any) -> Any:
    """Return the network of `mnist-fast`, but with a trained and normalized first convolution, not a whitening one."""
    network = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Cropping2D(2)])
    for filters, kernel, padding in CONVOLUTIONS:
        network.add(keras.layers.Conv2D(filters, kernel, padding=padding, use_bias=False))
        network.add(keras.layers.MaxPooling2D())
        network.add(keras.layers.BatchNormalization(momentum=0.9))
        network.add(keras.layers.ReLU())
    network.add(keras.layers.Flatten())
    for units in DENSE:
        network.add(keras.layers.Dense(units, activation="relu"))
    network.add(keras.layers.Dense(CLASSES, activation="softmax"))
    return network


def save_for_serving(tf: Any, network: Any, folder: Path) -> None:
    """Write a SavedModel that takes raw images, uint8 [count, 28, 28]."""

    @tf.function(input_signature=[tf.TensorSpec((None, 28, 28), tf.uint8, name="images")])  # type: ignore[untyped-decorator]
    def serve(images: Any) -> dict[str, Any]:
        probabilities = network(tf.cast(images, tf.float32)[..., tf.newaxis] / 255, training=False)
        return {"probabilities": probabilities, "label": tf.argmax(probabilities, axis=-1)}

    module = tf.Module()
    module.weights = [variable.value for variable in network.weights]
    module.serve = serve
    tf.saved_model.save(module, folder, signatures={"serving_default": serve})


def serve(output: Path, images: Any) -> Any:
    """Return the probabilities of the SavedModel, computed in another process."""
    np.save(output / "raw.npy", images)
    subprocess.run([sys.executable, "-c", SERVE, str(output)], check=True, capture_output=True)
    return np.load(output / "served.npy")


def corrupted(images: Any) -> Iterator[Any]:
    """Yield the images with each of seven corruptions, all five severities concatenated."""
    from scipy import ndimage

    random = np.random.default_rng(0)
    corruptions: list[Callable[[int], Any]] = [
        lambda severity: ndimage.shift(images, (0, severity, severity, 0), order=1),
        lambda severity: ndimage.rotate(images, 12 * severity, axes=(1, 2), reshape=False, order=1),
        lambda severity: ndimage.affine_transform(images, (1, 1 + severity / 8, 1 + severity / 8, 1), order=1),
        lambda severity: images + random.normal(0, severity / 10, images.shape).astype(np.float32),
        lambda severity: ndimage.gaussian_filter(images, (0, severity / 2, severity / 2, 0)),
        lambda severity: images * (1 - severity / 6),
        lambda severity: np.where(np.arange(28)[:, None] < 2 * severity, 0, images),
    ]
    for corrupt in corruptions:
        yield np.concatenate([np.clip(corrupt(severity), 0, 1) for severity in range(1, 6)]).astype(np.float32)


def evaluate(labels: Any, probabilities: Any, overlaps: Mapping[str, int], output: Path) -> Any:
    """Write metrics and one row for each test image; return the confusion matrix."""
    import pandas as pd
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    predicted = probabilities.argmax(axis=1)
    every = np.arange(CLASSES)
    per_class = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0.0)
    confusion = confusion_matrix(labels, predicted, labels=every)
    metrics = {
        "accuracy": accuracy_score(labels, predicted),
        "loss": float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)).mean()),
        "per_class": dict(
            zip(("precision", "recall", "f1", "support"), map(np.ndarray.tolist, per_class), strict=True)
        ),
        "confusion_matrix": confusion.tolist(),
        "overlaps": overlaps,
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2))
    pd.DataFrame(
        {
            "label": labels,
            "prediction": predicted,
            "confidence": probabilities.max(axis=1),
            "probabilities": list(probabilities),
        }
    ).to_parquet(output / "predictions.parquet", index=False)
    return confusion


if __name__ == "__main__":
    main()

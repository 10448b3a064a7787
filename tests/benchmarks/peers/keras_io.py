"""keras.io's first example: two convolutions, dropout, 15 epochs.

Source: F. Chollet, "Simple MNIST convnet", keras.io/examples/vision/mnist_convnet (keras-team/keras-io, 2020):
32 and 64 filters of 3x3 (`valid`), each with max-pooling, dropout 0.5, softmax; Adam, categorical cross-entropy on
one-hot labels, batches of 128, 15 epochs, the last tenth of the 60,000 for validation.

Differences: images come from IDX files instead of `keras.datasets`, there is a seed, and it prints one line only.
"""

from __future__ import annotations

import keras
import numpy as np
from common import Stopwatch, make_parser, print_result, read_mnist
from keras import layers

CLASSES = 10


def main() -> None:
    options = make_parser(__doc__, epochs=15).parse_args()
    keras.utils.set_random_seed(options.seed)

    mnist = read_mnist(options.folder)
    train_images, test_images = (
        np.expand_dims(images.astype("float32") / 255, -1) for images in (mnist.train_images, mnist.test_images)
    )
    train_labels, test_labels = (
        keras.utils.to_categorical(labels, CLASSES) for labels in (mnist.train_labels, mnist.test_labels)
    )

    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    network.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])

    training = Stopwatch()
    training.start()
    network.fit(train_images, train_labels, batch_size=128, epochs=options.epochs, validation_split=0.1, verbose=0)
    training.stop()

    _, accuracy = network.evaluate(test_images, test_labels, verbose=0)
    print_result(accuracy=accuracy, training=training, parameters=network.count_params(), epochs=options.epochs)


if __name__ == "__main__":
    main()

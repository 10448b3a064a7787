"""Networks as users build them: with skip connections, layers without names and seeds, and nested models."""

from typing import Any

ImageShape = tuple[int, int, int]


def residual(image_shape: ImageShape, classes: int, seed: int, filters: tuple[int, ...] = (4, 4)) -> Any:  # noqa: ARG001
    """Return a functional network with skip connections and dropout; its inputs and outputs are lists."""
    import keras
    from keras import layers

    value = inputs = keras.Input(image_shape)
    for count in filters:
        value = layers.Conv2D(count, 3, padding="same", activation="relu")(value)
        change = layers.Conv2D(count, 3, padding="same")(layers.Dropout(0.2)(value))
        value = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(value + change))
    value = layers.GlobalAveragePooling2D()(value)
    return keras.Model([inputs], [layers.Dense(classes, "softmax")(value)])


def nested(image_shape: ImageShape, classes: int, seed: int) -> Any:
    """Return a functional network of others; it uses one, of depthwise and separable convolutions, twice."""
    import keras
    from keras import layers

    inputs = keras.Input(image_shape)
    convolutions = [layers.DepthwiseConv2D(3, activation="relu"), layers.SeparableConv2D(4, 3, activation="relu")]
    body = keras.Sequential([keras.Input(image_shape), *convolutions, layers.MaxPooling2D()], name="body")
    value = layers.Average()([body(inputs), body(layers.Rescaling(1.0, 0.1)(inputs))])
    return keras.Model(inputs, residual(value.shape[1:], classes, seed)(value))


def sequential(image_shape: ImageShape, classes: int, seed: int) -> Any:  # noqa: ARG001
    """Return a network that does not state its input."""
    import keras
    from keras import layers

    return keras.Sequential(
        [layers.Conv2D(3, 3, activation="gelu"), layers.Flatten(), layers.Dense(classes, "softmax")]
    )

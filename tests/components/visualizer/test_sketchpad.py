"""The network in the page of the report, and the ink layout of a data set."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from components import Model, Stored, TransformedExamples
from components.example_gen.sources import DigitsSource
from components.io.splits import read_scaled
from components.testing.contract import make_inputs
from components.visualizer.sketchpad import render_sketchpad
from components.visualizer.sketchpad.export import export_network
from components.visualizer.sketchpad.ink_layout import InkLayout, measure_ink_layout
from tests.support.data import load


def like_mnist(count: int) -> NDArray[np.float32]:
    """Return images of boxes, 20 pixels high and dark in some rows, whose mass is in the middle as MNIST's is."""
    random = np.random.default_rng(0)
    images = np.zeros((count, 28, 28, 1), dtype=np.float32)
    for image in images:
        dark = random.integers(0, 17)
        box = np.full(20, 0.3)
        box[dark : dark + 3] = 1
        top = round(14 - box @ np.arange(20) / box.sum())
        image[top : top + 20, 9:19, 0] = box[:, np.newaxis]
    return images


def test_layout_is_centred_by_mass_or_by_box() -> None:
    found = measure_ink_layout(like_mnist(50))
    assert (found.longer_side, found.centred_by) == (20, "mass")
    digits = np.divide(load(DigitsSource()).train.images[:500, ..., np.newaxis], 255, dtype=np.float32)
    found = measure_ink_layout(digits)
    assert (found.longer_side, found.centred_by, found.centre[0]) == (28, "box", 14)
    assert 4 < found.brush / 0.75 * 28 < 7, "strokes are a pixel and a half of eight thick"


def test_layout_of_dark_ink_equals_that_of_its_negative() -> None:
    images = like_mnist(50)
    bright, dark = measure_ink_layout(images), measure_ink_layout(np.subtract(1, images, dtype=np.float32))
    assert (bright.background, dark.background) == (0, 1)
    assert dark.centre == bright.centre


@pytest.mark.parametrize("brightness", [0, 1])
def test_images_without_ink_have_the_layout_of_mnist(brightness: float) -> None:
    found = measure_ink_layout(np.full((3, 28, 28, 1), brightness, dtype=np.float32))
    assert found == InkLayout(found.background, 20, "mass", (14, 14), 0.09)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2}),
        ("Conv2D", {"filters": 2, "kernel_size": 3, "activation": "gelu"}),
        ("DepthwiseConv2D", {"kernel_size": 3}),
        ("AveragePooling2D", {"pool_size": 2}),
        ("ReLU", {"max_value": 6.0}),
        ("BatchNormalization", {"axis": 1}),
    ],
)
def test_an_unsupported_layer_leaves_no_sketchpad(kind: str, settings: dict[str, Any]) -> None:
    assert export_network(network_with(kind, settings)) is None
    assert export_network(network_with("Conv2D", {"filters": 2, "kernel_size": 3})) is not None


def network_with(kind: str, settings: dict[str, Any]) -> Any:
    import keras
    from keras import layers

    end = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((8, 8, 1)), getattr(layers, kind)(**settings), *end])


Linear = tuple[Stored[Model], NDArray[np.float32]]


@pytest.fixture
def linear(tmp_path: Path) -> Linear:
    made = make_inputs(tmp_path)
    transformed: Stored[TransformedExamples] = made[TransformedExamples]
    return made[Model], read_scaled(transformed, transformed.artifact.splits.test).images


def test_the_same_model_gives_the_same_section(linear: Linear) -> None:
    model, images = linear
    made = render_sketchpad(model, None, images)
    assert made is not None
    assert made == render_sketchpad(model, None, images)


def test_a_class_name_cannot_end_the_script(linear: Linear) -> None:
    model, images = linear
    name = "</script><img src=x onerror=alert(1)>"
    names = (name, *model.artifact.class_names[1:])
    made = render_sketchpad(
        Stored(model.artifact.model_copy(update={"class_names": names}), model.directory), None, images
    )
    assert made is not None
    assert "</script" not in made.script
    description = re.search(r"loadNetwork\((\{.*\}), \"", made.script)
    assert description is not None
    assert json.loads(description[1])["classes"][0] == name


def test_a_large_network_has_no_sketchpad(linear: Linear) -> None:
    model, images = linear
    size = 4 * model.artifact.parameters
    assert render_sketchpad(model, None, images, max_weight_bytes=size) is not None
    assert render_sketchpad(model, None, images, max_weight_bytes=size - 1) is None

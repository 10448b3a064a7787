"""The network in the page of the report, and the ink layout of a data set."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from components import Model, Stored, TransformedExamples
from components.artifacts import GraphOperation
from components.example_gen.sources import DigitsSource
from components.inference.split_images import read_scaled
from components.testing.contract import make_inputs
from components.visualizer.sketchpad import render_sketchpad
from components.visualizer.sketchpad.export import export_network
from components.visualizer.sketchpad.ink_layout import InkLayout, measure_ink_layout
from components.visualizer.sketchpad.operations import UnsupportedLayerError
from tests.support.data import load
from tests.support.statements import changed

Linear = tuple[Stored[Model], NDArray[np.float32]]


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


def test_layout_is_centered_by_mass_or_by_box() -> None:
    found = measure_ink_layout(like_mnist(50))
    assert (found.longer_side, found.centered_by) == (20, "mass")
    digits = np.divide(load(DigitsSource()).train.images[:500, ..., np.newaxis], 255, dtype=np.float32)
    found = measure_ink_layout(digits)
    assert (found.longer_side, found.centered_by, found.center[0]) == (28, "box", 14)
    assert 4 < found.brush / 0.75 * 28 < 7, "strokes are a pixel and a half of eight thick"


def test_layout_of_dark_ink_equals_that_of_its_negative() -> None:
    images = like_mnist(50)
    bright, dark = measure_ink_layout(images), measure_ink_layout(np.subtract(1, images, dtype=np.float32))
    assert (bright.background, dark.background) == (0, 1)
    assert dark.center == bright.center


@pytest.mark.parametrize("brightness", [0, 1])
def test_images_without_ink_have_the_layout_of_mnist(brightness: float) -> None:
    found = measure_ink_layout(np.full((3, 28, 28, 1), brightness, dtype=np.float32))
    assert found == InkLayout(found.background, 20, "mass", (14, 14), 0.09)


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("Conv2D", {"filters": 2, "kernel_size": 3, "dilation_rate": 2}, "(Conv2D)"),
        ("Conv2D", {"filters": 2, "kernel_size": 3, "activation": "gelu"}, "(Conv2D with gelu)"),
        ("LayerNormalization", {}, "(LayerNormalization)"),
        ("ReLU", {"threshold": 1.0}, "(ReLU)"),
        ("BatchNormalization", {"axis": 1}, "(BatchNormalization)"),
        ("Conv2D", {"filters": 2, "kernel_size": 3, "activation": "softmax"}, "(Conv2D with a softmax of images)"),
    ],
)
def test_the_page_names_a_layer_that_it_cannot_run(
    linear: Linear, kind: str, settings: dict[str, Any], reason: str
) -> None:
    model, images = linear
    network = network_with(kind, {**settings, "name": "mine"})
    made = render_sketchpad(Stored(changed(model.artifact, format="keras"), model.directory), network, images)
    assert made.script == made.css == ""
    assert f"This page has no sketchpad: it cannot run the layer mine {reason}." in made.html


def test_an_output_without_a_softmax_cannot_be_run() -> None:
    import keras

    end = [keras.layers.Flatten(), keras.layers.Dense(3, activation="sigmoid")]
    with pytest.raises(UnsupportedLayerError, match="a network whose output is not a softmax"):
        export_network(keras.Sequential([keras.Input((8, 8, 1)), *end]))


def network_with(kind: str, settings: dict[str, Any]) -> Any:
    import keras
    from keras import layers

    end = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((8, 8, 1)), getattr(layers, kind)(**settings), *end])


@pytest.fixture
def linear(tmp_path: Path) -> Linear:
    made = make_inputs(tmp_path)
    transformed: Stored[TransformedExamples] = made[TransformedExamples]
    return made[Model], read_scaled(transformed, transformed.artifact.splits.test).images


def test_the_same_model_gives_the_same_section(linear: Linear) -> None:
    model, images = linear
    made = render_sketchpad(model, None, images)
    assert made == render_sketchpad(model, None, images)


def test_a_class_name_cannot_end_the_script(linear: Linear) -> None:
    model, images = linear
    name = "</script><img src=x onerror=alert(1)>"
    names = (name, *model.artifact.class_names[1:])
    made = render_sketchpad(
        Stored(model.artifact.model_copy(update={"class_names": names}), model.directory), None, images
    )
    assert "</script" not in made.script
    description = re.search(r"loadNetwork\((\{.*\}), \"", made.script)
    assert description is not None
    assert json.loads(description[1])["classes"][0] == name


def test_a_large_network_has_no_sketchpad(linear: Linear) -> None:
    model, images = linear
    size = 4 * model.artifact.parameters
    assert "startSketchpad" in render_sketchpad(model, None, images, max_weight_bytes=size).script
    made = render_sketchpad(model, None, images, max_weight_bytes=size - 1)
    assert not made.script
    assert "at most 0.0 MB are included" in made.html


@pytest.mark.parametrize("operation", [{"op": "resize", "size": (9, 9)}, {"op": "function", "name": "mine:blur"}])
def test_the_page_names_an_operation_that_it_cannot_run(linear: Linear, operation: dict[str, Any]) -> None:
    model, images = linear
    made = render_sketchpad(model, None, images, graph=[GraphOperation(**operation)])
    assert f"it cannot run the transform’s operation {operation.get('name', 'resize')}" in made.html


def test_a_color_model_has_no_sketchpad(linear: Linear) -> None:
    model, images = linear
    height, width, _ = model.artifact.image_shape
    colored = changed(model.artifact, image_shape=(height, width, 3))
    made = render_sketchpad(Stored(colored, model.directory), None, images)
    assert "drawings have one channel, and the model takes 3" in made.html

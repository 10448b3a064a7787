"""The sketchpad: the network in the page computes what TensorFlow computes, and classifies drawings."""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from components import Context, ExampleGen, Stored, Trainer, Transform, TransformedExamples
from components.example_gen.sources import DigitsSource
from components.inference.averaging import average_over_shifts
from components.inference.predictor import load_network
from components.inference.split_images import read_scaled
from components.io.splits import ImageSplit
from components.trainer.network import build_network
from components.visualizer.report_data import EmbeddedSection
from components.visualizer.sketchpad import render_sketchpad
from components.visualizer.sketchpad.export import export_network
from components.visualizer.sketchpad.ink_layout import InkLayout
from components.visualizer.sketchpad.section import network_literal
from job.config.config import load_config
from tests.browser.conftest import OpenPage
from tests.conftest import FinishedRun
from tests.support.browser import Visit
from tests.support.data import load
from tests.support.handwriting import as_strokes
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.browser

SKETCHPAD = REPOSITORY / "components" / "visualizer" / "sketchpad"
NO_PREDICTION = "\N{EN DASH}"
DIGITS = tuple("0123456789")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sketchpad</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<style>:root {{ --ink: #111; --paper: #fff }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #eee; --paper: #000 }} }}
body {{ margin: 1rem; background: var(--paper) }}{css}</style>{html}<script>{script}</script></html>"""


def trainer_settings(preset: str) -> tuple[Any, int]:
    """Return the network and the test-time shift of a shipped configuration."""
    trainer = load_config(REPOSITORY / "configs" / f"{preset}.yaml").pipeline.trainer
    return trainer.config.network, trainer.config.test_time_shift


def with_random_state(network: Any) -> Any:
    """Set biases and batch normalizations to values as after a training, including negative scales."""
    random = np.random.default_rng(1)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            shape = layer.gamma.shape
            gamma = random.choice([-1, 1], shape, p=[0.2, 0.8]) * random.uniform(0.5, 1.5, shape)
            beta, mean = random.normal(0, 0.3, (2, *shape))
            layer.set_weights([gamma, beta, mean, random.uniform(0.2, 2, shape)])
        elif getattr(layer, "use_bias", False):
            layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
    return network


@pytest.mark.parametrize(
    "preset",
    [
        "mnist-fast",
        pytest.param("digits", marks=pytest.mark.thorough),
        pytest.param("mnist-best", marks=pytest.mark.thorough),
        pytest.param("mnist-tiny", marks=pytest.mark.thorough),
    ],
)
def test_page_predicts_what_tensorflow_predicts(browser: Browser, preset: str) -> None:
    import tensorflow as tf

    config, shift = trainer_settings(preset)
    network = with_random_state(build_network(config, image_shape=(28, 28, 1), classes=10, seed=3))
    kernel = network.layers[-1].kernel
    kernel.assign(kernel / 4)  # random weights of a deep network give some classes a probability of about 0
    images = load(DigitsSource()).train.images[:100, ..., np.newaxis] / np.float32(255)
    predict = partial(network, training=False)
    expected = average_over_shifts(predict, tf.constant(images), shift=shift).numpy()
    assert expected.std(axis=0).min() > 5e-4, "the predictions differ between images"

    arguments = network_literal(
        export_network(network), classes=DIGITS, test_time_shift=shift, standardize={"scale": 0.5, "offset": 0.25}
    )
    found = in_page(
        browser,
        ["network.js"],
        f"""const network = loadNetwork({arguments});
        return given.map((image) => {{
          const prediction = forwardOverShifts(network, toInput(network, Float32Array.from(image)));
          return [...prediction.probabilities];
        }});""",
        images.reshape(100, -1) * 2 - 0.5,
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.thorough
def test_page_runs_each_layer_of_a_network_of_users(browser: Browser) -> None:
    import keras
    from keras import layers

    image = keras.Input((28, 28, 1))
    cropped = layers.Cropping2D(((1, 0), (2, 1)))(image)
    value = layers.ZeroPadding2D(((1, 2), (0, 1)))(layers.Rescaling(2.0, -1.0)(cropped))
    value = layers.Conv2D(6, 3, strides=2, padding="same", activation="silu")(value)
    value = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="tanh")(value)
    value = layers.SeparableConv2D(8, 3, depth_multiplier=2, activation="leaky_relu")(value)
    pooled = [layers.AveragePooling2D(3, 2, "same")(value), layers.MaxPooling2D(3, 2, "same")(value)]
    value = layers.Concatenate()(pooled)
    weights = layers.Dense(16, "sigmoid")(layers.Flatten()(layers.GlobalMaxPooling2D(keepdims=True)(value)))
    value = layers.Multiply()([value, layers.Reshape((1, 1, 16))(weights)])
    value = layers.Add()([layers.LeakyReLU()(value), layers.Dropout(0.5)(layers.ReLU(6.0)(value)), value + value])
    body = keras.Model(image, layers.GlobalAveragePooling2D()(value))
    ends = [layers.BatchNormalization(), layers.Dense(10), layers.Softmax()]
    network = with_random_state(keras.Sequential([keras.Input((28, 28, 1)), body, *ends]))
    images = np.random.default_rng(0).random((20, 28, 28, 1), dtype=np.float32)
    expected = network(images).numpy()
    assert expected.std(axis=0).max() > 1e-3, "the predictions differ between images"
    description = network_literal(export_network(network), classes=DIGITS, test_time_shift=0)
    code = f"""const network = loadNetwork({description});
        return given.map((image) => [...forward(network, Float32Array.from(image)).probabilities]);"""
    found = in_page(browser, ["network.js"], code, images.reshape(20, -1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("preset", ["mnist-fast", "digits", "mnist-best", "mnist-tiny"])
def test_maps_are_the_first_convolution_after_relu(browser: Browser, preset: str) -> None:
    config, _ = trainer_settings(preset)
    network = with_random_state(build_network(config, image_shape=(28, 28, 1), classes=10, seed=3))
    image = load(DigitsSource()).train.images[:1, ..., np.newaxis] / np.float32(255)
    first = network.get_layer("convolution_1")
    maps = first(image[:, config.crop : 28 - config.crop, config.crop : 28 - config.crop])
    if config.batch_normalization and not config.whitening:
        maps = network.get_layer("normalization_1")(maps, training=False)
    expected = np.maximum(maps.numpy(), 0)[0]

    exported = export_network(network)
    found = in_page(
        browser,
        ["network.js"],
        f"""const network = loadNetwork({network_literal(exported, classes=DIGITS, test_time_shift=0)});
        const {{ maps }} = forward(network, Float32Array.from(given[0]));
        return [[maps.height, maps.width, maps.channels], [...maps.values]];""",
        image.reshape(1, -1),
    )
    assert tuple(found[0]) == expected.shape
    np.testing.assert_allclose(np.reshape(found[1], expected.shape), expected, rtol=0, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize(("background", "seed"), [(0, 0), (1, 3)])
def test_an_enlarged_mnist_image_is_restored(browser: Browser, background: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    box = random.uniform(0.1, 1, (20, 11)).astype(np.float32) * np.linspace(0.1, 1, 20, dtype=np.float32)[:, np.newaxis]
    rows, columns = np.arange(20) + 0.5, np.arange(11) + 0.5
    mass = (box.sum(axis=1) @ rows / box.sum(), box.sum(axis=0) @ columns / box.sum())
    top, left = (round(14.5 - float(place)) for place in mass)
    image = np.zeros((28, 28), dtype=np.float32)
    image[top : top + 20, left : left + 11] = box

    drawn = np.zeros((140, 140), dtype=np.float32)
    drawn[7:107, 61:116] = np.kron(box, np.ones((5, 5), dtype=np.float32))
    found = normalized(browser, drawn, InkLayout(background, 20, "mass", (14.5, 14.5), 0.1))  # type: ignore[arg-type]
    np.testing.assert_allclose(found, abs(background - image), atol=1e-5)


@pytest.mark.thorough
def test_drawings_are_centered_by_their_box(browser: Browser) -> None:
    drawing = np.zeros((140, 140), dtype=np.float32)
    drawing[25:85, 75:90] = 1
    drawing[25:45, 60:75] = 1  # the box is twice as high as wide, most of the ink to the right
    found = normalized(browser, drawing, InkLayout(0, 28, "box", (14.0, 14.0), 0.1))
    rows, columns = np.nonzero(found)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 27, 7, 20)


def normalized(browser: Browser, drawing: NDArray[np.float32], layout: InkLayout) -> NDArray[np.float64]:
    """Return a drawing as the network's image, [28, 28]."""
    settings = (
        f"{{background: {layout.background}, longer_side: {layout.longer_side}, "
        f"centered_by: '{layout.centered_by}', center: [{layout.center[0]}, {layout.center[1]}]}}"
    )
    code = f"return [...normalize(Float32Array.from(given.flat()), {len(drawing)}, [28, 28], {settings})];"
    return np.reshape(in_page(browser, ["normalize.js"], code, drawing), (28, 28))


def in_page(browser: Browser, scripts: list[str], code: str, given: NDArray[Any]) -> Any:
    """Run scripts of the sketchpad and then some code in an empty page, and return its result."""
    page = browser.new_page()
    sources = "\n".join((SKETCHPAD / script).read_text() for script in scripts)
    try:
        return page.evaluate(f"(given) => {{ {sources}\n{code} }}", given.tolist())
    finally:
        page.close()


class Trained:
    """A network trained on digits, its test images, and a page with its sketchpad."""

    def __init__(self, folder: Path) -> None:
        def output(name: str) -> Path:
            (folder / name).mkdir()
            return folder / name

        examples = Stored(ExampleGen().run(Context(output=output("examples"))), folder / "examples")
        transformed = Stored(
            Transform().run(Context(output=output("transformed")), examples=examples), folder / "transformed"
        )
        config = Trainer.Config.model_validate(
            {
                "network": {"filters": (8, 16, 32), "dense": (64, 32), "dropout": 0.0},
                "epochs": 6,
                "batch_size": 32,
                "learning_rate": {"schedule": "one_cycle", "peak": 0.005},
                "test_time_shift": 1,
                "exports": [],
            }
        )
        model = Trainer(config).run(Context(output=output("model")), transformed=transformed)
        assert model.history[-1].val_accuracy > 0.95
        stored = Stored(model, folder / "model")
        self.network = load_network(stored)
        self.test: ImageSplit[np.float32] = read_scaled(transformed, transformed.artifact.splits.test)
        section = render_sketchpad(stored, self.network, self.test.images)
        self.section: EmbeddedSection = section
        self.page = folder / "page.html"
        self.page.write_text(PAGE.format(css=section.css, html=section.html, script=section.script))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


class Sketchpad:
    """The sketchpad in a page, used like a person does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.surface = page.get_by_role("application", name="Drawing area")
        self.prediction = page.locator(".sketchpad-prediction")
        self.announcement = page.locator("[aria-live]")

    def draw(self, image: NDArray[np.float32]) -> None:
        """Draw an image with the mouse."""
        self.surface.scroll_into_view_if_needed()
        box = self.surface.bounding_box()
        assert box is not None
        for stroke in as_strokes(image):
            for number, (x, y) in enumerate(stroke):
                self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                if number == 0:
                    self.page.mouse.down()
            self.page.mouse.up()

    def clear(self) -> None:
        self.page.get_by_role("button", name="Clear").click()

    def pixels(self, of: str, *, every: int = 1) -> NDArray[np.uint8]:
        """Return the red, green, blue and alpha of a canvas, of every n-th row and column."""
        found = self.page.locator(of).evaluate(
            """(canvas, every) => {
              const copy = new OffscreenCanvas(canvas.width / every, canvas.height / every);
              const context = copy.getContext("2d", { willReadFrequently: true });
              context.imageSmoothingEnabled = false;
              context.drawImage(canvas, 0, 0, copy.width, copy.height);
              return [copy.height, copy.width, [...context.getImageData(0, 0, copy.width, copy.height).data]];
            }""",
            every,
        )
        return np.array(found[2], dtype=np.uint8).reshape(found[0], found[1], 4)

    def ink(self) -> float:
        """Return the share of the surface that ink covers."""
        return float((self.pixels(".sketchpad-surface canvas", every=7)[..., 3] > 0).mean())

    def probabilities(self) -> list[float]:
        return [
            float(text.removesuffix("%")) / 100 for text in self.page.locator(".sketchpad-value").all_text_contents()
        ]


@pytest.fixture
def visit(trained: Trained, open_page: OpenPage) -> Iterator[Visit]:
    """Open the page; at the end, check that it logged no warning and made no request."""
    opened = open_page(trained.page, viewport={"width": 360, "height": 1200}, has_touch=True)
    yield opened
    assert opened.warnings == []
    assert opened.requests == []


@pytest.fixture
def sketchpad(visit: Visit) -> Sketchpad:
    return Sketchpad(visit.page)


def test_a_drawing_is_classified_in_the_report_of_a_run(digits_run: FinishedRun, open_page: OpenPage) -> None:
    latest = digits_run.root / "runs" / "latest"
    manifest = json.loads((latest / "transform" / "manifest.json").read_text())
    transformed = Stored(TransformedExamples.model_validate(manifest["artifact"]), latest / "transform")
    test = read_scaled(transformed, transformed.artifact.splits.test)
    visit = open_page(latest / "report.html")
    sketchpad = Sketchpad(visit.page)
    sketchpad.draw(test.images[int(np.flatnonzero(test.labels == 0)[0]), ..., 0])
    expect(sketchpad.prediction).to_have_text("0")
    assert (visit.warnings, visit.requests) == ([], [])


@pytest.mark.thorough
@pytest.mark.parametrize("label", [0, 4, 7])
def test_a_test_image_drawn_by_mouse_is_classified(trained: Trained, sketchpad: Sketchpad, label: int) -> None:
    row = int(np.flatnonzero(trained.test.labels == label)[0])
    sketchpad.draw(trained.test.images[row, ..., 0])
    expect(sketchpad.prediction).to_have_text(str(label))
    expect(sketchpad.announcement).to_have_text(re.compile(rf"Prediction: {label}, \d+\.\d% probability\."))


@pytest.mark.thorough
def test_after_a_pause_the_prediction_is_the_mean(trained: Trained, sketchpad: Sketchpad) -> None:
    import tensorflow as tf

    sketchpad.draw(trained.test.images[0, ..., 0])
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    sketchpad.page.wait_for_timeout(500)  # longer than the pause after a stroke
    seen = sketchpad.pixels(".sketchpad-input")[np.newaxis, ..., 3:] / np.float32(255)
    predict = partial(trained.network, training=False)
    one, mean = (average_over_shifts(predict, tf.constant(seen), shift=shift).numpy()[0] for shift in (0, 1))
    assert np.abs(one - mean).max() > 0.002, "the two predictions differ"
    np.testing.assert_allclose(sketchpad.probabilities(), mean, atol=0.002)  # displayed with three decimals


@pytest.mark.thorough
def test_feature_maps_follow_the_drawing(trained: Trained, sketchpad: Sketchpad) -> None:
    assert sketchpad.page.locator(".sketchpad-maps canvas").count() == 8

    def shown() -> int:
        return sum(int(sketchpad.pixels(f".sketchpad-maps canvas >> nth={at}")[..., 3].sum()) for at in range(8))

    assert shown() == 0
    assert sketchpad.pixels(".sketchpad-maps canvas >> nth=0").shape == (28, 28, 4)
    sketchpad.draw(trained.test.images[0, ..., 0])
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    assert shown() > 10_000
    sketchpad.clear()
    expect(sketchpad.prediction).to_have_text(NO_PREDICTION)
    assert shown() == 0


@pytest.mark.thorough
def test_clear_empties_the_sketchpad(sketchpad: Sketchpad) -> None:
    sketchpad.surface.click()
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    assert sketchpad.ink() > 0
    sketchpad.clear()
    expect(sketchpad.prediction).to_have_text(NO_PREDICTION)
    expect(sketchpad.announcement).to_have_text("The sketchpad is empty.")
    assert sketchpad.ink() == 0


@pytest.mark.thorough
def test_drawing_by_keyboard_alone(sketchpad: Sketchpad) -> None:
    sketchpad.page.keyboard.press("Tab")
    expect(sketchpad.surface).to_be_focused()
    expect(sketchpad.page.locator(".sketchpad-cursor")).to_be_visible()
    sketchpad.page.keyboard.press("Space")
    expect(sketchpad.announcement).to_have_text("Pen down.")
    dot = sketchpad.ink()
    for _ in range(12):
        sketchpad.page.keyboard.press("ArrowDown")
    line = sketchpad.ink()
    assert line > 2 * dot > 0
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    sketchpad.page.keyboard.press("Space")  # announces the pen, then the prediction
    for _ in range(5):
        sketchpad.page.keyboard.press("ArrowLeft")
    assert sketchpad.ink() == line, "a lifted pen leaves no ink"
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    sketchpad.page.keyboard.press("Tab")
    sketchpad.page.keyboard.press("Enter")
    expect(sketchpad.announcement).to_have_text("The sketchpad is empty.")


@pytest.mark.thorough
def test_a_finger_draws_without_scrolling_the_page(sketchpad: Sketchpad) -> None:
    sketchpad.page.set_viewport_size({"width": 360, "height": 500})
    assert sketchpad.page.evaluate("document.documentElement.scrollWidth") == 360
    box = sketchpad.surface.bounding_box()
    assert box is not None
    assert box["width"] > 250
    finger = sketchpad.page.context.new_cdp_session(sketchpad.page)
    for up in range(10):
        at = {"x": box["x"] + 150, "y": box["y"] + 250 - 20 * up}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove" if up else "touchStart", "touchPoints": [at]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    inked = sketchpad.pixels(".sketchpad-surface canvas", every=7)[..., 3].any(axis=1)
    assert inked.mean() > 0.6, "the stroke is as long as the path of the finger"
    assert sketchpad.page.evaluate("window.scrollY") == 0


@pytest.mark.thorough
def test_ink_follows_the_theme(sketchpad: Sketchpad) -> None:
    sketchpad.surface.click()
    expect(sketchpad.announcement).to_contain_text("Prediction:")
    for scheme, brightness in (("dark", 0xEE), ("light", 0x11)):
        sketchpad.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        sketchpad.page.wait_for_timeout(200)
        for canvas, every in ((".sketchpad-surface canvas", 7), (".sketchpad-input", 1)):
            pixels = sketchpad.pixels(canvas, every=every)
            assert set(pixels[pixels[..., 3] == 255][:, 0].tolist()) == {brightness}


@pytest.mark.thorough
def test_page_without_javascript_has_a_message(trained: Trained, open_page: OpenPage) -> None:
    page = open_page(trained.page, java_script_enabled=False).page
    expect(page.get_by_text("The sketchpad needs JavaScript")).to_be_visible()
    expect(page.locator(".sketchpad-board")).to_be_hidden()


@pytest.mark.thorough
def test_sketchpad_is_not_printed(sketchpad: Sketchpad) -> None:
    expect(sketchpad.surface).to_be_visible()
    sketchpad.page.emulate_media(media="print")
    expect(sketchpad.surface).to_be_hidden()

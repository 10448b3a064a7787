"""The pad of a report: the network in the page answers as TensorFlow does, and reads what is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from components import Context, ExampleGen, Stored, Trainer, Transform
from components.example_gen.sources import DigitsSource
from components.inference.averaging import average_over_shifts
from components.inference.predictor import load_network
from components.io.splits import ImageSplit, read_scaled
from components.trainer.network import build_network
from components.visualizer.sketchpad import PadSection, pad_section
from components.visualizer.sketchpad.export import export_network
from components.visualizer.sketchpad.ink_layout import Convention
from components.visualizer.sketchpad.section import network_literal
from job.config.config import load_config
from tests.browser.conftest import OpenPage
from tests.support.browser import Visit
from tests.support.data import load
from tests.support.handwriting import as_strokes
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.browser

PAD = REPOSITORY / "components" / "reporting" / "pad"
NO_ANSWER = "\N{EN DASH}"
DIGITS = tuple("0123456789")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Pad</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<style>:root {{ --ink: #111; --paper: #fff }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #eee; --paper: #000 }} }}
body {{ margin: 1rem; background: var(--paper) }}{css}</style>{html}<script>{script}</script></html>"""


def shape_of(preset: str) -> tuple[Any, int]:
    """Return the network of a shipped configuration, and how far it averages over shifts."""
    trainer = load_config(REPOSITORY / "configs" / f"{preset}.yaml").pipeline.trainer
    return trainer.config.network, trainer.config.test_time_shift


def as_if_trained(network: Any) -> Any:
    """Give biases and batch normalizations what a training might have left there, factors below zero among it."""
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


@pytest.mark.parametrize("preset", ["digits", "mnist-fast", "mnist-best"])
def test_the_page_answers_as_tensorflow_does(browser: Browser, preset: str) -> None:
    import tensorflow as tf

    config, shift = shape_of(preset)
    network = as_if_trained(build_network(config, image_shape=(28, 28, 1), classes=10, seed=3))
    images = load(DigitsSource()).train.images[:100, ..., np.newaxis] / np.float32(255)
    answer = partial(network, training=False)
    expected = average_over_shifts(answer, tf.constant(images), shift=shift).numpy()
    assert expected.std(axis=0).min() > 5e-4, "the answers differ from image to image"

    exported = export_network(network)
    assert exported is not None
    found = in_page(
        browser,
        ["network.js"],
        f"""const network = loadNetwork({network_literal(exported, classes=DIGITS, test_time_shift=shift)});
        return given.map((image) => {{
          const answer = forwardOverShifts(network, Float32Array.from(image));
          return [...answer.probabilities];
        }});""",
        images.reshape(100, -1),
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("preset", ["digits", "mnist-fast", "mnist-best"])
def test_the_maps_are_the_first_convolution_normalized_and_rectified(browser: Browser, preset: str) -> None:
    config, _ = shape_of(preset)
    network = as_if_trained(build_network(config, image_shape=(28, 28, 1), classes=10, seed=3))
    image = load(DigitsSource()).train.images[:1, ..., np.newaxis] / np.float32(255)
    maps = network.get_layer("convolution_1")(image)
    if config.batch_normalization:
        maps = network.get_layer("normalization_1")(maps, training=False)
    expected = np.maximum(maps.numpy(), 0)[0]

    exported = export_network(network)
    assert exported is not None
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


@pytest.mark.parametrize(("background", "seed"), [(0, 0), (0, 1), (0, 2), (1, 3)])
def test_an_image_as_mnist_has_them_survives_being_drawn_larger(browser: Browser, background: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    box = random.uniform(0.1, 1, (20, 11)).astype(np.float32) * np.linspace(0.1, 1, 20, dtype=np.float32)[:, np.newaxis]
    rows, columns = np.arange(20) + 0.5, np.arange(11) + 0.5
    mass = (box.sum(axis=1) @ rows / box.sum(), box.sum(axis=0) @ columns / box.sum())
    top, left = (round(14.5 - float(place)) for place in mass)
    image = np.zeros((28, 28), dtype=np.float32)
    image[top : top + 20, left : left + 11] = box

    drawn = np.zeros((140, 140), dtype=np.float32)
    drawn[7:107, 61:116] = np.kron(box, np.ones((5, 5), dtype=np.float32))
    found = normalized(browser, drawn, Convention(background, 20, "mass", (14.5, 14.5), 0.1))  # type: ignore[arg-type]
    np.testing.assert_allclose(found, abs(background - image), atol=1e-5)


def test_what_fills_its_box_is_centred_by_it(browser: Browser) -> None:
    drawing = np.zeros((140, 140), dtype=np.float32)
    drawing[25:85, 75:90] = 1
    drawing[25:45, 60:75] = 1  # the box is twice as high as wide, most of the ink to the right
    found = normalized(browser, drawing, Convention(0, 28, "box", (14.0, 14.0), 0.1))
    rows, columns = np.nonzero(found)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 27, 7, 20)


def normalized(browser: Browser, drawing: NDArray[np.float32], convention: Convention) -> NDArray[np.float64]:
    """Return what a drawing becomes, [28, 28]."""
    settings = (
        f"{{background: {convention.background}, longer_side: {convention.longer_side}, "
        f"centred_by: '{convention.centred_by}', centre: [{convention.centre[0]}, {convention.centre[1]}]}}"
    )
    code = f"return [...normalize(Float32Array.from(given.flat()), {len(drawing)}, [28, 28], {settings})];"
    return np.reshape(in_page(browser, ["normalize.js"], code, drawing), (28, 28))


def in_page(browser: Browser, scripts: list[str], code: str, given: NDArray[Any]) -> Any:
    """Return what some code gives in an empty page after scripts of the pad; `given` is what it works on."""
    page = browser.new_page()
    sources = "\n".join((PAD / script).read_text() for script in scripts)
    try:
        return page.evaluate(f"(given) => {{ {sources}\n{code} }}", given.tolist())
    finally:
        page.close()


class Trained:
    """A network that reads digits, the images that it is tested on, and its pad."""

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
            }
        )
        model = Trainer(config).run(Context(output=output("model")), transformed=transformed)
        assert model.history[-1].val_accuracy > 0.95
        stored = Stored(model, folder / "model")
        self.network = load_network(stored)
        self.test: ImageSplit[np.float32] = read_scaled(transformed, transformed.artifact.splits.test)
        section = pad_section(stored, self.network, self.test.images)
        assert section is not None
        self.section: PadSection = section
        self.page = folder / "page.html"
        self.page.write_text(PAGE.format(css=section.css, html=section.html, script=section.script))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


class Pad:
    """A pad in a page, as somebody sees and uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.surface = page.get_by_role("application", name="Pad to draw on")
        self.answer = page.locator(".pad-answer")
        self.said = page.locator("[aria-live]")

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
        """Return a canvas's pixels, red, green, blue and alpha, of which every so manieth row and column is read."""
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
        return float((self.pixels(".pad-surface canvas", every=7)[..., 3] > 0).mean())

    def probabilities(self) -> list[float]:
        return [float(text.removesuffix("%")) / 100 for text in self.page.locator(".pad-value").all_text_contents()]


@pytest.fixture
def visit(trained: Trained, open_page: OpenPage) -> Iterator[Visit]:
    """Open the pad's page; at the end, nothing may have been complained of, and nothing asked for."""
    opened = open_page(trained.page, viewport={"width": 360, "height": 1200}, has_touch=True)
    yield opened
    assert opened.said == []
    assert opened.requests == []


@pytest.fixture
def pad(visit: Visit) -> Pad:
    return Pad(visit.page)


@pytest.mark.parametrize("label", [0, 4, 7])
def test_a_test_image_drawn_with_the_mouse_is_read(trained: Trained, pad: Pad, label: int) -> None:
    row = int(np.flatnonzero(trained.test.labels == label)[0])
    pad.draw(trained.test.images[row, ..., 0])
    expect(pad.answer).to_have_text(str(label))
    expect(pad.said).to_have_text(re.compile(rf"Read as {label}, \d+\.\d% probable\."))


def test_at_rest_the_answer_is_the_mean_that_the_model_is_served_with(trained: Trained, pad: Pad) -> None:
    import tensorflow as tf

    pad.draw(trained.test.images[0, ..., 0])
    expect(pad.said).to_contain_text("Read as")
    pad.page.wait_for_timeout(500)  # in which nothing is drawn
    seen = pad.pixels(".pad-seen")[np.newaxis, ..., 3:] / np.float32(255)
    answer = partial(trained.network, training=False)
    one, mean = (average_over_shifts(answer, tf.constant(seen), shift=shift).numpy()[0] for shift in (0, 1))
    assert np.abs(one - mean).max() > 0.002, "the two could be taken for each other"
    np.testing.assert_allclose(pad.probabilities(), mean, atol=0.002)  # shown to a thousandth


def test_feature_maps_follow_the_drawing(trained: Trained, pad: Pad) -> None:
    assert pad.page.locator(".pad-maps canvas").count() == 8

    def shown() -> int:
        return sum(int(pad.pixels(f".pad-maps canvas >> nth={at}")[..., 3].sum()) for at in range(8))

    assert shown() == 0
    assert pad.pixels(".pad-maps canvas >> nth=0").shape == (28, 28, 4)
    pad.draw(trained.test.images[0, ..., 0])
    expect(pad.said).to_contain_text("Read as")
    assert shown() > 10_000
    pad.clear()
    expect(pad.answer).to_have_text(NO_ANSWER)
    assert shown() == 0


def test_clear_leaves_an_empty_pad(pad: Pad) -> None:
    pad.surface.click()
    expect(pad.said).to_contain_text("Read as")
    assert pad.ink() > 0
    pad.clear()
    expect(pad.answer).to_have_text(NO_ANSWER)
    expect(pad.said).to_have_text("The pad is empty.")
    assert pad.ink() == 0


def test_one_draws_by_keyboard_alone(pad: Pad) -> None:
    pad.page.keyboard.press("Tab")
    expect(pad.surface).to_be_focused()
    expect(pad.page.locator(".pad-cursor")).to_be_visible()
    pad.page.keyboard.press("Space")
    expect(pad.said).to_have_text("Pen down.")
    dot = pad.ink()
    for _ in range(12):
        pad.page.keyboard.press("ArrowDown")
    line = pad.ink()
    assert line > 2 * dot > 0
    expect(pad.said).to_contain_text("Read as")
    pad.page.keyboard.press("Space")  # says that the pen is lifted, and then again what is read
    for _ in range(5):
        pad.page.keyboard.press("ArrowLeft")
    assert pad.ink() == line, "a lifted pen leaves no ink"
    expect(pad.said).to_contain_text("Read as")
    pad.page.keyboard.press("Tab")
    pad.page.keyboard.press("Enter")
    expect(pad.said).to_have_text("The pad is empty.")


def test_a_finger_draws_and_does_not_scroll_the_page(pad: Pad) -> None:
    pad.page.set_viewport_size({"width": 360, "height": 500})
    assert pad.page.evaluate("document.documentElement.scrollWidth") == 360
    box = pad.surface.bounding_box()
    assert box is not None
    assert box["width"] > 250
    finger = pad.page.context.new_cdp_session(pad.page)
    for up in range(10):
        at = {"x": box["x"] + 150, "y": box["y"] + 250 - 20 * up}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove" if up else "touchStart", "touchPoints": [at]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(pad.said).to_contain_text("Read as")
    inked = pad.pixels(".pad-surface canvas", every=7)[..., 3].any(axis=1)
    assert inked.mean() > 0.6, "the stroke goes as far as the finger"
    assert pad.page.evaluate("window.scrollY") == 0


def test_ink_takes_the_colours_of_another_theme(pad: Pad) -> None:
    pad.surface.click()
    expect(pad.said).to_contain_text("Read as")
    for scheme, brightness in (("dark", 0xEE), ("light", 0x11)):
        pad.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        pad.page.wait_for_timeout(200)
        for canvas, every in ((".pad-surface canvas", 7), (".pad-seen", 1)):
            pixels = pad.pixels(canvas, every=every)
            assert set(pixels[pixels[..., 3] == 255][:, 0].tolist()) == {brightness}


def test_without_javascript_the_page_says_what_is_missing(trained: Trained, open_page: OpenPage) -> None:
    page = open_page(trained.page, java_script_enabled=False).page
    expect(page.get_by_text("The pad needs JavaScript")).to_be_visible()
    expect(page.locator(".pad-board")).to_be_hidden()


def test_it_is_not_printed(pad: Pad) -> None:
    expect(pad.surface).to_be_visible()
    pad.page.emulate_media(media="print")
    expect(pad.surface).to_be_hidden()

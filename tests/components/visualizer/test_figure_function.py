"""Custom figures: what the function receives, how the figure is shown, and which functions are rejected."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from components import Context, Stored, Visualizer
from components.base.errors import ConfigError
from components.html.inline_images import figure_picture
from components.inference.split_images import open_pictures
from components.testing.contract import make_inputs
from components.visualizer import FigureData, VisualizerConfig
from components.visualizer.figure_function import BUILT_IN_FIGURES, FigureFunction
from components.visualizer.statements import Statements
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.html import read_html

SEEN: list[FigureData] = []


def confidence(data: FigureData, bins: int = 10) -> Figure:
    """Confidence of the predictions.

    How many test images
    have each confidence.
    """
    SEEN.append(data)
    figure: Figure = plt.figure()
    figure.add_subplot().hist(data.probabilities.max(axis=1), bins=bins)
    return figure


def no_docstring(data: FigureData) -> Any:
    return confidence(data)


def returns_axes(data: FigureData) -> Any:
    return confidence(data).axes[0]


def cannot_be_drawn(data: FigureData) -> Figure:
    figure = confidence(data)
    figure.suptitle(r"$\frac$")
    return figure


def fails(data: FigureData) -> Any:
    return data.history["no such column"]


def takes_no_data(labels: Any) -> Figure:
    return confidence(labels)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored[Any]]:
    made = make_inputs(tmp_path_factory.mktemp("inputs"))
    return {name: made[kind] for name, kind in Visualizer.signature().inputs.items()}


def test_figure_is_a_png_file_and_a_section(inputs: dict[str, Stored[Any]], tmp_path: Path) -> None:
    SEEN.clear()
    functions = [{"use": confidence, "bins": 5}, {"use": no_docstring, "alt": "Bars"}]
    visualizer = Visualizer(VisualizerConfig.model_validate({"figures": functions}))
    *built_in, first, second = visualizer.run(Context(output=tmp_path), **inputs).figures
    assert {figure.name for figure in built_in} <= {*BUILT_IN_FIGURES}
    assert first.title == "Confidence of the predictions"
    assert first.alt == "How many test images have each confidence."
    assert (second.name, second.title, second.alt) == ("no_docstring", "No docstring", "Bars")
    assert not plt.get_fignums(), "the figures are closed"

    page = read_html((tmp_path / "report.html").read_text())
    section = page.by_id("figure-confidence")
    assert section.all("h2")[0].text == first.title
    assert [image.attributes["alt"] for image in section.all("img")] == [first.alt]
    assert [link.text for link in page.all("nav")[0].all("a")][-5:-3] == [first.title, second.title]
    with Image.open(tmp_path / first.file) as picture:
        assert np.asarray(picture.convert("L")).std() > 5

    data = SEEN[0]
    assert data.probabilities.shape == (len(data.labels), len(data.class_names))
    assert data.probabilities.dtype == np.float32
    assert data.images[:4].shape == (4, *data.transformed.image_shape)
    assert data.history["epoch"].tolist() == [row.epoch for row in data.model.history]
    right = (data.predictions == data.labels).mean()
    assert right == pytest.approx(data.evaluation.metrics.accuracy)


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (returns_axes, "returned Axes"),
        (cannot_be_drawn, "returned a figure that matplotlib cannot draw: "),
        (fails, r"raised KeyError: 'no such column' \(test_figure_function.py, line \d+\)"),
    ],
)
def test_figure_that_fails_is_a_config_error(
    inputs: dict[str, Stored[Any]], tmp_path: Path, function: Any, problem: str
) -> None:
    artifacts = {name: stored.artifact for name, stored in inputs.items()}
    test = open_pictures(inputs["transformed"], artifacts["transformed"].splits.test)
    data = FigureData.read(Statements(**artifacts), inputs["evaluation"], test)
    with pytest.raises(ConfigError, match=f"test_figure_function:{function.__name__} {problem}") as caught:
        FigureFunction.model_validate(function).save(data, tmp_path / "figure.png")
    assert caught.value.expected == "(data, **options) -> matplotlib.figure.Figure"
    plt.close("all")


@pytest.mark.parametrize(
    ("figures", "problem"),
    [
        ([{"use": "{here}:takes_no_data"}], "takes_no_data has the parameters (labels"),
        ([{"use": "{here}:confidence", "bars": 3}], "confidence has no option `bars`"),
        ([{"use": "{here}:confidence", "bins": "many"}], "visualizer.figures.0.bins is 'many'"),
        ([{"use": "{here}:confidence"}] * 2, "another figure has the name `confidence`"),
        ([{"use": "{here}:confidence", "name": "curves"}], "another figure has the name `curves`"),
        ([{"use": "{here}:confidence", "name": "../curves"}], "visualizer.figures.0.name is '../curves'"),
        ([{"use": "{here}:confidence", "name": "é"}], "visualizer.figures.0.name is 'é'"),
    ],
)
def test_wrong_figures_are_rejected_before_the_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, figures: list[dict[str, Any]], problem: str
) -> None:
    figures = [{**figure, "use": figure["use"].format(here=__name__)} for figure in figures]
    result = mnist_job(
        "run", "--config", write_config({"visualizer": {"figures": figures}}), "--root", tmp_path / "root"
    )
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not (tmp_path / "root").exists()


def test_large_figure_is_reduced_in_the_report(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size > 150_000
    assert len(figure_picture(tmp_path / "noise.png", max_bytes=30_000)) < 42_000


@pytest.mark.thorough
def test_a_changed_function_draws_again(mnist_job_process: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    sections = {slot: section for slot, section in FAKES.items() if slot != "visualizer"}
    config = write_config({**sections, "visualizer": {"figures": [{"use": "own_figures:bars"}]}})

    def run(bins: int) -> tuple[list[str], bytes]:
        (tmp_path / "own_figures.py").write_text(
            "def bars(data):\n"
            "    from matplotlib.figure import Figure\n"
            "    figure = Figure()\n"
            f"    figure.add_subplot().hist(data.labels, bins={bins})\n"
            "    return figure\n"
        )
        result = mnist_job_process("run", "--config", config, "--root", tmp_path / "root", "--json", cwd=tmp_path)
        assert result.exit_code == 0, result.stderr
        statuses = [step["status"] for step in result.record["steps"]]
        return statuses, (tmp_path / "root" / "runs" / "latest" / "visualizer" / "bars.png").read_bytes()

    first, again, changed = run(bins=3), run(bins=3), run(bins=30)
    assert first[0] == ["ran"] * 5
    assert again == (["reused"] * 5, first[1])
    assert changed[0] == ["reused"] * 4 + ["ran"]
    assert changed[1] != first[1]

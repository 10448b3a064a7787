"""The report: complete, in order, self-contained, and safe with any text in the data."""

import dataclasses
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components import Context, Evaluation, Examples, Model, Stored, TransformedExamples, Visualizer
from components.artifacts.figures import REPORT_LINKS_PLACEHOLDER, REPORT_RUN_PLACEHOLDER
from components.html.drawing import round_values
from components.html.format import MINUS, TIMES
from components.testing.contract import make_inputs
from components.visualizer.figure_data import ConfidentMistakes
from components.visualizer.model_card import render_card
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.report import render_report
from components.visualizer.report.sections.learning_curves import render_learning_curves
from components.visualizer.report.sections.network import render_network
from components.visualizer.report.sections.training_images import render_training_images
from components.visualizer.report_data import ReportData
from components.visualizer.training_images import ClassImages, TrainingImages
from job.options import RunOptions
from job.reporters.run_section import add_run_to_card, add_run_to_report
from tests.support.html import Element, read_html
from tests.support.markdown import to_html
from tests.support.report_data import (
    full_report_data,
    minimal_report_data,
    report_html,
    run_record,
    with_functions,
    with_text,
)
from tests.support.statements import changed
from tests.support.text import HOSTILE, check_printable

LIMIT = 3_000_000
SECTIONS = [
    *("verdict", "curves", "confusions", "mistakes", "network", "maps", "calibration", "weak-spots"),
    *("figure-roc", "data", "training-images", "model-card"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return full_report_data(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return minimal_report_data(tmp_path_factory.mktemp("minimal"))


@pytest.fixture(scope="module")
def page(data: ReportData) -> Element:
    return read_html(report_html(data))


def sections(page: Element) -> list[str]:
    return [section.attributes["id"] for section in page.all("section")]


def test_sections_are_in_order(page: Element) -> None:
    assert sections(page) == SECTIONS
    assert len(page.all("h1")) == 1
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), "no level is skipped"
    links = [link.attributes["href"] for link in page.all("nav")[0].all("a")]
    assert links == [f"#{name}" for name in SECTIONS[1:]]


def test_custom_metrics_and_slices_have_their_definition(data: ReportData) -> None:
    page = read_html(report_html(with_functions(data)))
    verdict, slices = page.by_id("verdict"), page.by_id("weak-spots")
    assert "Custom metrics" in [heading.text for heading in verdict.all("h3")]
    (row,) = [row for row in verdict.all("tr") if row.text.startswith("mean cost 2.25 −0.5")][:1]
    assert row.text.endswith("to 1,234 (bootstrap, 200 resamples)")
    assert "mean cost (mine:cost, a 1): A cost." in [paragraph.text for paragraph in verdict.all("p")]
    assert "half (mine:half)" in [paragraph.text for paragraph in slices.all("p")]


def test_page_is_self_contained(data: ReportData) -> None:
    html = report_html(data)
    page = read_html(html)
    (policy,) = [meta for meta in page.all("meta") if meta.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"].startswith("default-src 'none';")
    carried = re.sub(r"data:image/png;base64,[^\"]*", "", html)
    assert not re.search(r"https?:|\"//|url\(|@import", carried), "no external resource"
    assert all(image.attributes["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert len(html) < LIMIT
    assert html.count(REPORT_RUN_PLACEHOLDER) == html.count(REPORT_LINKS_PLACEHOLDER) == 1


def test_images_charts_and_tables_are_accessible(page: Element) -> None:
    pictures = page.all("img")
    assert len(pictures) > 10
    assert all(len(image.attributes["alt"]) > 10 for image in pictures)
    drawings = page.all("svg")
    assert len(drawings) > 10
    assert all(drawing.attributes["role"] == "img" and drawing.attributes["aria-label"] for drawing in drawings)
    for table in page.all("table"):
        assert table.all("caption")[0].text
        assert all(head.attributes["scope"] in ("col", "row") for head in table.all("th"))
        widths = {len(row.all("th", "td")) for row in table.all("tr")}
        assert len(widths) == 1, table.all("caption")[0].text
    ids = [element.attributes["id"] for element in page.everything() if "id" in element.attributes]
    assert len(ids) == len(set(ids))


def test_every_check_has_value_bound_and_result(data: ReportData, page: Element) -> None:
    (table,) = [table for table in page.all("table") if table.attributes.get("class") == "checks"]
    rows = [tuple(cell.text for cell in row.all("th", "td")) for row in table.all("tr")]
    accuracy = data.evaluation.metrics.accuracy
    required = data.evaluation.blessing.checks[0].minimum or 0
    assert rows[0] == ("Check", "Measured", "Required", "Result")
    assert rows[1] == ("accuracy", f"{accuracy * 100:.2f} %", f"at least {required * 100:g} %", "✓ passed")
    noise = ("change of accuracy", f"{MINUS}0.08 points (p = 0.341)", "at least 0 points", "✓ passed, within noise")
    assert noise in rows
    assert ("difference of the SavedModel", f"2.4 {TIMES} 10⁻⁷", f"at most 1 {TIMES} 10⁻⁵", "✓ passed") in rows
    assert "McNemar’s exact test, p = 0.341" in page.text


def test_headline_says_why_a_model_is_not_blessed(tmp_path: Path) -> None:
    page = read_html(report_html(full_report_data(tmp_path, blessed=False)))
    (headline,) = page.all("h1")
    assert "but is not blessed: accuracy must be at least" in headline.text
    assert "NOT BLESSED" in page.by_id("verdict").text


def test_report_marks_a_rubber_stamped_model(data: ReportData) -> None:
    blessing = changed(data.evaluation.blessing, rubber_stamped=True)
    stamped = dataclasses.replace(data, evaluation=changed(data.evaluation, blessing=blessing, baseline=None))
    page = read_html(report_html(stamped))
    assert "BLESSED rubber-stamped: there was no baseline to compare with" in page.by_id("verdict").text
    assert "McNemar" not in page.text


def test_report_omits_or_names_what_was_not_evaluated(minimal: ReportData) -> None:
    page = read_html(report_html(minimal))
    omitted = ["network", "maps", "weak-spots", "figure-roc"]
    assert sections(page) == [name for name in SECTIONS if name not in omitted]
    assert [link.attributes["href"] for link in page.all("nav")[0].all("a")] == [
        f"#{name}" for name in sections(page)[1:]
    ]
    assert "The evaluation did not analyze calibration any further" in page.by_id("calibration").text
    assert "No anomalies are recorded" in page.by_id("data").text
    assert "linear model" in page.all("h1")[0].text


def test_chart_values_are_in_its_table_and_readouts(data: ReportData, page: Element) -> None:
    loss, _ = page.by_id("curves").all("figure")
    rows = [[cell.text for cell in row.all("th", "td")] for row in loss.all("tr")]
    assert rows[0] == ["epoch", "training", "validation"]
    assert rows[1:] == [[str(row.epoch), f"{row.loss:.4f}", f"{row.val_loss:.4f}"] for row in data.model.history]
    readouts = [group.attributes["data-readout"] for group in loss.all("g")]
    assert readouts[10] == "epoch 11: training 0.1818, validation 0.1636"
    assert "best epoch: 11" in loss.text


def test_mistakes_show_both_classes_and_confidence(data: ReportData, page: Element) -> None:
    cards = page.by_id("mistakes").all("li")
    assert len(cards) == len(data.mistakes.shown) == 3
    assert cards[0].text.startswith(f"{data.mistakes.shown[0].class_name} → ")
    assert "90.0 % confident" in cards[0].text


def test_report_of_a_model_without_mistakes(data: ReportData) -> None:
    evaluation = data.evaluation
    support = [row.support for row in evaluation.per_class]
    right = changed(evaluation, confusion_matrix=tuple(map(tuple, np.diag(support).tolist())))
    page = read_html(
        report_html(
            dataclasses.replace(data, evaluation=right, mistakes=ConfidentMistakes((), total=0, image_count=18))
        )
    )
    assert "There are no mistakes" in page.by_id("mistakes").text
    assert "The model classifies all 18 test images correctly" in page.by_id("confusions").text


@pytest.mark.parametrize(("classes", "mistakes"), [(2, 1), (26, 1), (62, 1), (62, 0)])
def test_confusion_matrix_of_many_classes_is_an_image(data: ReportData, classes: int, mistakes: int) -> None:
    random = np.random.default_rng(0)
    counts = random.integers(0, 9, (classes, classes)) * (mistakes or np.eye(classes, dtype=int))
    row = data.evaluation.per_class[0]
    evaluation = changed(
        data.evaluation,
        confusion_matrix=tuple(map(tuple, counts.tolist())),
        per_class=tuple(changed(row, label=label, name=f"class {label}") for label in range(classes)),
    )
    section = read_html(report_html(dataclasses.replace(data, evaluation=evaluation))).by_id("confusions")
    cells = [
        cell
        for table in section.all("table")
        if "matrix" in table.attributes.get("class", "")
        for cell in table.all("td")
    ]
    assert len(cells) == (classes**2 if classes <= 26 else 0)
    assert len(section.all("img")) == (1 if classes > 26 else 0)
    assert ("Most common confusions" in section.text) == bool(mistakes)
    if cells:
        assert [int(cell.text or 0) for cell in cells] == counts.reshape(-1).tolist()


def test_training_images_have_one_row_a_class(data: ReportData, page: Element) -> None:
    by_class, augmented = page.by_id("training-images").all("table")
    rows = by_class.all("tr")[1:]
    assert [row.all("th")[0].text for row in rows] == list(data.examples.class_names)
    assert all(len(row.all("img")) == 3 for row in rows)
    assert [row.text.split()[-1] for row in rows] == [
        f"train/{each.most_distant_row}" for each in data.training_images.classes
    ]
    assert len(augmented.all("tr")) == 1 + len(data.augmented)


@pytest.mark.parametrize(("side", "shown"), [(16, 100), (48, 36)])
def test_many_classes_are_folded_and_have_a_limit(data: ReportData, side: int, shown: int) -> None:
    image = np.zeros((side, side, 1), dtype=np.float32)
    classes = tuple(ClassImages(f"class {n}", (image,) * 10, image, image, n) for n in range(100))
    examples = data.examples.model_copy(update={"class_names": tuple(each.name for each in classes)})
    training = TrainingImages(classes, images_read=50)
    section = render_training_images(dataclasses.replace(data, examples=examples, training_images=training))
    page = read_html(section)
    open_table, folded, _ = (len(table.all("tr")) - 1 for table in page.all("table"))
    assert (open_table, folded) == (20, shown - 20)
    assert page.all("details")[0].all("summary")[0].text == f"{shown - 20} more classes"
    assert ("36 of 100 classes are shown." in page.text) == (shown < 100)
    assert "Only the first 50 of" in page.text


def test_network_has_its_layers_and_kernels(data: ReportData, page: Element) -> None:
    section = page.by_id("network")
    assert "The network has 2 layers and 771 parameters" in section.text
    rows = [[cell.text for cell in row.all("th", "td")] for row in section.all("tr")[1:]]
    assert rows[0] == ["convolution_1", "Conv2D", f"16{TIMES}16{TIMES}16", "160"]
    assert "16 kernels of the layer convolution_1" in section.all("figcaption")[0].text
    color = NetworkKernels("first", np.ones((20, 3, 3, 3), dtype=np.float32))
    images = read_html(render_network(dataclasses.replace(data, kernels=color))).all("img")
    assert [image.attributes["style"] for image in images] == ["width: 100.0%", "width: 100.0%", "width: 50.0%"]


def test_label_smoothing_is_stated_beside_the_losses(data: ReportData) -> None:
    assert "label smoothing" not in render_learning_curves(data)
    model = data.model.model_copy(update={"label_smoothing": 0.05})
    text = "The training loss includes label smoothing of 0.05, the validation loss does not."
    assert text in render_learning_curves(dataclasses.replace(data, model=model))


def test_curves_of_few_epochs_are_by_training_step(data: ReportData) -> None:
    steps = pd.DataFrame({"epoch": [1, 1, 2], "step": [5, 8, 13], "loss": [3.0, 2.0, 1.0], "accuracy": 0.5})
    model = changed(data.model, history=data.model.history[:2], best_epoch=1)
    loss, _ = read_html(render_learning_curves(dataclasses.replace(data, model=model, steps=steps))).all("figure")
    rows = [[cell.text for cell in row.all("th", "td")] for row in loss.all("tr")]
    assert rows == [
        ["training step", "training", "validation"],
        ["5", "3.0000", ""],
        ["8", "2.0000", "1.8000"],
        ["13", "1.0000", "0.9000"],
    ]
    assert "best epoch: 1" in loss.text


def test_markup_in_names_is_escaped(data: ReportData) -> None:
    evil = "</script><script>alert('1')</script>"
    html = report_html(with_text(data, evil))
    assert evil not in html
    assert len(read_html(html).all("script")) == 1


def test_hostile_text_is_printable_in_report_and_card(data: ReportData) -> None:
    hostile, command = with_text(data, HOSTILE), RunOptions(config=Path(HOSTILE)).command()
    card = render_card(hostile)
    record = run_record(config={"root": HOSTILE}, environment={"python": HOSTILE})
    page = render_report(hostile, card)
    check_printable(page, has_secrets=True)  # only a configuration is refused for the secrets of its URIs
    report = add_run_to_report(page, record, command=command)
    check_printable(report, has_secrets=True)
    check_printable(add_run_to_card(card, record, command=command), has_secrets=True)
    words = r"\x1b[31mred\u202e[/b] [bold]<b>|`$\x$"
    assert words in read_html(report).by_id("main").text
    assert words in to_html(card).text


def test_visualizer_writes_the_report(tmp_path: Path) -> None:
    made = make_inputs(tmp_path / "inputs")
    inputs: dict[str, Stored[Examples | TransformedExamples | Model | Evaluation]] = {
        name: made[kind] for name, kind in Visualizer.signature().inputs.items()
    }
    (output := tmp_path / "output").mkdir()
    figures = Visualizer().run(Context(output=output), **inputs)  # type: ignore[arg-type]
    assert figures.report_file == "report.html"
    page = read_html((output / "report.html").read_text())
    assert len(page.by_id("mistakes").all("li")) == page.text.count("% confident")
    assert str(tmp_path) not in page.text


@pytest.mark.parametrize(
    ("low", "high", "most", "values"),
    [
        (0.0, 1.0, 6, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.982, 0.9931, 5, [0.985, 0.99]),
        (1, 1, 5, [1]),
        (0, 10_000, 5, [0, 5000, 10000]),
    ],
)
def test_axes_label_round_values(low: float, high: float, most: int, values: list[float]) -> None:
    assert round_values(low, high, most) == pytest.approx(values)

"""The model card: statements of the manifests as Markdown.

The expected numbers are those of the fakes' 120 images of three classes. The test split has 18 images with the
confusion matrix 5 1 0 / 0 5 1 / 2 0 4; everything derived from it here was computed by hand.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components import Context, Figures, Stored, Visualizer
from components.artifacts import Export, ExportFormat, GraphOperation
from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.html.format import TIMES, percent
from components.testing.contract import make_inputs
from components.visualizer.model_card import render_card
from components.visualizer.report import render_report
from components.visualizer.report.sections.model_card import card_html
from components.visualizer.report_data import ReportData
from components.visualizer.statements import Statements
from job.store.source_code import find_modules
from tests.support.html import read_html
from tests.support.markdown import read_markdown, to_html
from tests.support.report_data import full_report_data, minimal_report_data, report_html, with_functions, with_text
from tests.support.statements import changed

HEADINGS = [
    *("Model details", "Intended use", "Factors", "Metrics", "Verdict", "Baseline", "Data", "Anomalies", "Drift"),
    *("Quantitative analyses", "Classes", "Slices", "Corrupted images", "Calibration", "Limits", "How to reproduce"),
]
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)*(?!\w)")
CONSTANTS = {"0", "1", "2", "5", "10", "255", "2019", "256"}
"""Numbers in the text of every card: pixels, Brier score, severities, powers of ten, the paper's year, SHA-256."""
DERIVED = {
    "4",  # mistakes: 18 - (5 + 5 + 4)
    "120",  # images: 90 + 12 + 18
    "33.3",  # per cent of a class in each split: 30 of 90, 4 of 12, 6 of 18
    "6",  # examples of an anomaly that are not named: 12 - 6
    "3",  # classes
    "15",  # slices: 3 classes and 4 ranges of 3 properties
    "12",  # epochs
    "7",  # corruptions
    *("80.6", "84.3", "85.6", "88.8", "93.5", "94.3", "96.7"),  # means of five accuracies, such as 403.0 / 5
    "54",  # images on which one model is correct: 23 + 31
    "0.08",  # change of accuracy in points
    "0.3582",  # change of the loss: 3.5818 - 1.1 * 3.5818
    "0.0000",  # change of the Brier score
    "0.8",  # megabytes of the SavedModel: 812,345 bytes
    "78.48",  # mean confidence: 14.1267 / 18
}
MARKUP = "a|b <b>c</b> `d` *e* [f](g) &amp; _h_ \\"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return full_report_data(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return minimal_report_data(tmp_path_factory.mktemp("minimal"))


def test_the_function_that_builds_the_network_is_named(full: ReportData) -> None:
    card = render_card(dataclasses.replace(full, model=changed(full.model, built_by="my_network:build")))
    assert "| Kind | network (Keras) that `my_network:build` builds |" in card
    assert "| Kind | convolutional network (Keras) |" in render_card(full)


def manifests(statements: Statements) -> dict[str, Any]:
    """Return the statements as the JSON of their manifests, by artifact."""
    return {
        name: json.loads(getattr(statements, name).model_dump_json())
        for name in ("examples", "transformed", "model", "evaluation")
    }


def formatted_numbers(value: Any) -> Iterator[str]:
    """Yield every number in a manifest, in each format that a card may use."""
    if isinstance(value, dict):
        yield from (number for pair in value.items() for part in pair for number in formatted_numbers(part))
    elif isinstance(value, list):
        yield from (number for each in value for number in formatted_numbers(each))
    elif isinstance(value, str):
        yield from NUMBER.findall(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        magnitude = abs(value)
        yield f"{magnitude:.1e}".partition("e")[0].removesuffix(".0")
        for number in (magnitude, magnitude * 100):
            yield from (f"{number:.{decimals}f}" for decimals in range(5))
            yield from (f"{number:,.0f}", f"{number:g}", f"{number:.3g}")


def numbers_of(card: str) -> set[str]:
    return set(NUMBER.findall(re.sub(r"`[0-9a-f]{64}`|\b[0-9a-f]{64}\b", "", card)))


def unknown_numbers(card: str, statements: Statements) -> set[str]:
    return numbers_of(card) - {*formatted_numbers(manifests(statements))} - DERIVED - CONSTANTS


@pytest.mark.parametrize("kind", ["full", "minimal"])
def test_every_number_comes_from_the_manifests(kind: str, request: pytest.FixtureRequest) -> None:
    data: ReportData = request.getfixturevalue(kind)
    card = render_card(data)
    assert len(numbers_of(card)) > 30
    assert unknown_numbers(card, data) == set()
    assert unknown_numbers(card.replace("77.78 %", "76.54 %"), data) == {"76.54"}, "the check finds a wrong number"


def test_headings_are_in_order(full: ReportData, minimal: ReportData) -> None:
    for data in (full, minimal):
        title, *headings = read_markdown(render_card(data))
        assert title == "Model card: made-up squares"
        assert headings == HEADINGS
        assert render_card(data).count(CARD_RUN_PLACEHOLDER) == 1


def test_metrics_have_interval_method_and_image_count(full: ReportData) -> None:
    part = read_markdown(render_card(full))["Metrics"]
    assert "computed on 18 test images" in part.text
    (table,) = part.tables
    assert table == [
        ["Metric", "Test images", "95 % interval"],
        ["accuracy", "77.78 %", "54.79–91.00 % (Wilson)"],
        ["macro precision", "78.25 %", "59.67–93.80 % (bootstrap, 1,000 resamples)"],
        ["macro recall", "77.78 %", "61.19–94.52 % (bootstrap, 1,000 resamples)"],
        ["macro F1", "77.66 %", "57.47–94.95 % (bootstrap, 1,000 resamples)"],
        ["calibration error", "22.22 %", "5.10–43.99 % (bootstrap, 1,000 resamples)"],
        ["loss (nats)", "3.5818", ""],
        ["Brier score", "0.4444", ""],
    ]


def test_custom_metrics_and_slices_have_their_definition(full: ReportData) -> None:
    parts = read_markdown(render_card(with_functions(full)))
    assert parts["Metrics"].tables[0][-1] == ["mean cost", "2.25", "−0.5 to 1,234 (bootstrap, 200 resamples)"]
    assert "mean cost (mine:cost, a 1): A cost." in parts["Metrics"].text
    assert parts["Baseline"].tables[0][-1] == ["mean cost", "2.25", "2.5", "−0.25"]
    assert "by class, measured properties and half." in parts["Slices"].text
    assert "half (mine:half)" in parts["Slices"].text


def test_all_slices_and_classes_have_their_numbers(full: ReportData) -> None:
    parts = read_markdown(render_card(full))
    (table,) = parts["Slices"].tables
    assert table[1:] == [
        ["ink/most (5 to 6 %)", "4", "3", "25.00 %", "4.56–69.94 %"],
        ["size/most (5 to 6 pixels)", "4", "3", "25.00 %", "4.56–69.94 %"],
        ["thickness/most (5 to 6 pixels)", "4", "3", "25.00 %", "4.56–69.94 %"],
        ["ink/much (4 to 5 %)", "4", "2", "50.00 %", "15.00–85.00 %"],
        ["size/much (4 to 5 pixels)", "4", "2", "50.00 %", "15.00–85.00 %"],
        ["thickness/much (4 to 5 pixels)", "4", "2", "50.00 %", "15.00–85.00 %"],
        ["class/2", "6", "2", "66.67 %", "30.00–90.32 %"],
        ["ink/little (3 to 4 %)", "4", "1", "75.00 %", "30.06–95.44 %"],
        ["size/little (3 to 4 pixels)", "4", "1", "75.00 %", "30.06–95.44 %"],
        ["thickness/little (3 to 4 pixels)", "4", "1", "75.00 %", "30.06–95.44 %"],
        ["class/0", "6", "1", "83.33 %", "43.65–96.99 %"],
        ["class/1", "6", "1", "83.33 %", "43.65–96.99 %"],
        ["ink/least (2 to 3 %)", "4", "0", "100 %", "51.01–100.00 %"],
        ["size/least (2 to 3 pixels)", "4", "0", "100 %", "51.01–100.00 %"],
        ["thickness/least (2 to 3 pixels)", "4", "0", "100 %", "51.01–100.00 %"],
    ]
    (table,) = parts["Classes"].tables
    assert table[1:] == [
        ["0", "71.43 %", "83.33 %", "76.92 %", "6"],  # precision 5 of 7, recall 5 of 6
        ["1", "83.33 %", "83.33 %", "83.33 %", "6"],  # 5 of 6, 5 of 6
        ["2", "80.00 %", "66.67 %", "72.73 %", "6"],  # 4 of 5, 4 of 6
    ]
    assert "The most common one is 2 predicted as 0, 2 times." in parts["Classes"].text
    assert "lowest recall is 2, with 66.67 %." in parts["Classes"].text


def test_data_have_splits_classes_anomalies_and_drift(full: ReportData) -> None:
    parts = read_markdown(render_card(full))
    splits, classes, identity = parts["Data"].tables
    assert [row[:3] for row in splits[1:]] == [
        ["train", "90", "30 to 30"],
        ["validation", "12", "4 to 4"],
        ["test", "18", "6 to 6"],
    ]
    assert classes[1:] == [[name, "30 (33.3 %)", "4 (33.3 %)", "6 (33.3 %)"] for name in ("0", "1", "2")]
    assert ["content_sha256", manifests(full)["examples"]["source"]["identity"]["content_sha256"]] in identity
    assert "stratified" in parts["Data"].text
    assert f"120 images of 16{TIMES}16 pixels" in parts["Data"].text
    anomalies = full.examples.anomalies
    assert len(anomalies) == 3
    for anomaly in anomalies:
        assert f"{anomaly.level} : {anomaly.message}" in parts["Anomalies"].text
    assert "test/4, test/5 and 6 more" in parts["Anomalies"].text
    (drift,) = parts["Drift"].tables
    assert [row[1] for row in drift[1:]] == ["0.0123", "0.2120", "0.0456"]
    assert "The data drifted from the baseline’s data in ink (train)" in parts["Limits"].text


def test_verdict_baseline_and_robustness_have_their_numbers(full: ReportData) -> None:
    parts = read_markdown(render_card(full))
    (checks,) = parts["Verdict"].tables
    assert len(checks) == 1 + 5
    assert {row[3].split(",")[0] for row in checks[1:]} == {"✓ passed"}
    assert parts["Verdict"].text.startswith("BLESSED ")
    (both,) = parts["Baseline"].tables
    assert both[1] == ["accuracy", "77.78 %", "77.86 %", "−0.08 points"]
    assert both[6] == ["loss", "3.5818", "3.9400", "−0.3582"]
    assert "correct on 54 images: this model on 23 and the baseline on 31" in parts["Baseline"].text
    assert "0" * 64 in parts["Baseline"].text
    (corrupted,) = parts["Corrupted images"].tables
    assert [[row[0], *row[2:]] for row in corrupted[1:]] == [
        ["shift", "99.0 %", "96.0 %", "86.0 %", "70.0 %", "52.0 %", "80.6 %"],
        ["rotation", "98.5 %", "96.0 %", "90.0 %", "77.0 %", "60.0 %", "84.3 %"],
        ["occlusion", "98.0 %", "95.0 %", "89.0 %", "80.0 %", "66.0 %", "85.6 %"],
        ["noise", "99.0 %", "98.0 %", "94.0 %", "85.0 %", "68.0 %", "88.8 %"],
        ["scale", "99.0 %", "98.5 %", "97.0 %", "93.0 %", "80.0 %", "93.5 %"],
        ["blur", "99.0 %", "98.5 %", "97.0 %", "93.0 %", "84.0 %", "94.3 %"],
        ["contrast", "99.1 %", "99.0 %", "98.5 %", "97.0 %", "90.0 %", "96.7 %"],
    ]
    limits = parts["Limits"].text
    assert "Corruptions that reduce the accuracy most: shift (52.0 % at severity 5, 5 pixels)" in limits
    assert "The mean confidence on the test images is 78.48 %, the accuracy 77.78 %." in limits
    assert "1.213, is not applied" in limits
    assert "would be 0.34 % instead of 0.71 %" in limits


def test_card_says_how_the_model_was_trained(full: ReportData) -> None:
    stated, parts = manifests(full)["model"], read_markdown(render_card(full))
    training = dict(parts["How to reproduce"].tables[0])
    environment = stated["environment"]
    assert training["seed of the training"] == "0"
    assert training["Python"] == environment["python"]
    assert (training["device"], training["threads"]) == ("CPU", "1")
    assert all(training[name] == version for name, version in environment["versions"].items())
    assert f"The SHA-256 of the weights is {stated['weights_sha256']}" in parts["How to reproduce"].text
    model, layers, files = parts["Model details"].tables
    assert layers[1:] == [
        ["convolution_1", "Conv2D", f"16{TIMES}16{TIMES}16", "160"],
        ["body/flatten", "Flatten", "any", ""],
    ]
    assert ["Parameters", "771"] in model
    assert [row[0] for row in files[1:]] == [stated["file"]]


def test_exported_files_have_inputs_outputs_and_difference(full: ReportData) -> None:
    files: dict[ExportFormat, str] = {"keras": "model.keras", "saved_model": "saved_model", "litert": "model.tflite"}
    exports = tuple(
        Export(format=name, file=file, images=100, largest_difference=3.6e-7, tolerance=1e-5, same_class=1.0)
        for name, file in files.items()
    )
    model = changed(full.model, file="model.keras", exports=exports, test_time_shift=2)
    part = read_markdown(render_card(dataclasses.replace(full, model=model)))["Model details"]
    assert "copies shifted by up to 2 pixels. The exported files include this." in part.text
    _, *rows = part.tables[-1]
    assert [row[0] for row in rows] == ["model.keras", "saved_model/", "model.tflite"]
    assert {row[2] for row in rows} == {"images : raw images, uint8 [batch, 16, 16] , 0 to 255"}
    assert ["label" in row[3] for row in rows] == [False, True, True]
    assert {row[4] for row in rows} == {f"3.6 {TIMES} 10⁻⁷ (at most 1 {TIMES} 10⁻⁵), 100 images"}


def test_an_export_with_int8_has_the_fraction_of_equal_classes(full: ReportData) -> None:
    export = Export(
        format="litert_int8",
        file="model_int8.tflite",
        images=100,
        largest_difference=0.03,
        tolerance=0.25,
        same_class=0.99,
    )
    part = read_markdown(render_card(dataclasses.replace(full, model=changed(full.model, exports=(export,)))))
    row = part["Model details"].tables[-1][1]
    assert row[:2] == ["model_int8.tflite", "LiteRT, with 8-bit integers"]
    assert row[4].startswith("0.03 (at most 0.25), 100 images; the same class for 99")


def test_card_and_report_state_the_accuracy_of_the_int8_export(full: ReportData) -> None:
    stated = "model_int8.tflite, classifies 97.12"
    card = render_card(full)
    assert all(stated in text for text in (card, render_report(full, card)))
    data = dataclasses.replace(full, evaluation=changed(full.evaluation, quantized=None))
    card = render_card(data)
    assert not any("8-bit" in text for text in (card, render_report(data, card)))


def test_card_and_report_state_the_operations_of_the_transform(full: ReportData) -> None:
    resize = GraphOperation(op="resize", size=(20, 22))
    transformed = changed(full.transformed, graph=(*full.transformed.graph, resize), image_shape=(20, 22, 1))
    data = dataclasses.replace(full, transformed=transformed)
    card = render_card(data)
    for text in (card, render_report(data, card)):
        assert "The network’s input is the image scaled to 0..1, resized to 20x22." in text
    assert "network inputs, `float32 [batch, 20, 22, 1]`" in card


def test_card_warns_of_test_images_in_the_training_split(full: ReportData) -> None:
    overlaps = tuple(
        overlap.model_copy(update={"images": int({*overlap.splits} == {"train", "test"})})
        for overlap in full.transformed.overlaps
    )
    assert "none of them is a training image" in read_markdown(render_card(full))["Metrics"].text
    shared = dataclasses.replace(full, transformed=changed(full.transformed, overlaps=overlaps, shared_images=1))
    parts = read_markdown(render_card(shared))
    assert "none of them is a training image" not in parts["Metrics"].text
    assert parts["Anomalies"].text.startswith("Identical images in two splits: 1 image in both train and test.")
    assert "More than one split contains the same 1 image" in parts["Limits"].text


def test_a_class_without_test_images_has_no_lowest_recall(full: ReportData) -> None:
    rows = [row.model_copy(update={"support": 0, "recall": 0.0}) for row in full.evaluation.per_class[:1]]
    evaluation = changed(full.evaluation, per_class=(*rows, *full.evaluation.per_class[1:]))
    text = read_markdown(render_card(dataclasses.replace(full, evaluation=evaluation)))["Classes"].text
    assert "lowest recall is" in text
    assert f"lowest recall is {rows[0].name}" not in text


def test_a_history_may_start_at_a_later_epoch(full: ReportData) -> None:
    model = changed(full.model, history=(full.model.history[0].model_copy(update={"epoch": 12}),), best_epoch=12)
    assert "those of epoch 12," in render_card(dataclasses.replace(full, model=model))


def test_card_says_that_a_model_is_not_blessed(tmp_path: Path) -> None:
    parts = read_markdown(render_card(full_report_data(tmp_path, blessed=False)))
    assert "The model is not blessed" in parts["Intended use"].text
    assert parts["Verdict"].text.startswith("NOT BLESSED ")
    assert parts["Verdict"].tables[0][1][3] == "✗ failed"
    assert parts["Limits"].text.startswith("The model is not blessed: it failed at least one check")
    blessed = read_markdown(render_card(full_report_data(tmp_path / "blessed")))
    assert not any("is not blessed" in part.text for part in blessed.values())


def test_card_says_what_was_not_evaluated(minimal: ReportData) -> None:
    parts = read_markdown(render_card(minimal))
    assert "The model was not compared with a baseline." in parts["Baseline"].text
    assert parts["Slices"].text == parts["Corrupted images"].text == "Not evaluated."
    assert "The evaluation did not analyze calibration any further." in parts["Calibration"].text
    assert "The data were not compared with other data." in parts["Drift"].text
    assert (
        "Not evaluated: slices of the test images, corrupted images, calibration beyond its error, a baseline, the "
        "served model and drift of the data." in parts["Limits"].text
    )
    assert "linear model" in parts["Model details"].tables[0][1][1]
    assert not any(parts[name].tables for name in ("Baseline", "Slices", "Corrupted images", "Calibration", "Drift"))


def test_markup_in_names_is_escaped(full: ReportData) -> None:
    data = with_text(full, MARKUP, title=f"# {MARKUP}")
    page = to_html(render_card(data))
    assert not page.all("a", "b", "img", "em", "del")
    assert {len({len(row.all("th", "td")) for row in table.all("tr")}) for table in page.all("table")} == {1}
    title, *headings = parts = read_markdown(render_card(data))
    assert title == f"Model card: # {MARKUP}"
    assert headings == HEADINGS
    assert parts["Data"].tables[1][1][0] == parts["Data"].tables[2][2][0] == parts["Classes"].tables[0][1][0] == MARKUP
    assert f"class/{MARKUP}" in [row[0] for row in parts["Slices"].tables[0]]
    assert MARKUP in parts["Intended use"].text
    assert "<b>c" not in report_html(data)


def test_report_contains_the_card_one_heading_deeper(full: ReportData) -> None:
    card = render_card(full)
    section = read_html(report_html(full)).by_id("model-card")
    assert [heading.text for heading in section.all("h2", "h3", "h4")] == ["Model card", *HEADINGS]
    assert not section.all("h1")
    words = read_html(card_html(card)).text.split()
    (title, *rest) = (element for element in to_html(card.replace(CARD_RUN_PLACEHOLDER, "")).children)
    assert title.tag == "h1"
    expected = [word for element in rest for word in element.text.split()]
    assert [word.removesuffix(":") for word in words] == [word.removesuffix(":") for word in expected]
    assert CARD_RUN_PLACEHOLDER not in section.text
    assert percent(full.evaluation.metrics.accuracy) in report_html(full), "no line break between number and unit"


def test_visualizer_writes_the_card(tmp_path: Path) -> None:
    made = make_inputs(tmp_path / "inputs")
    inputs: dict[str, Stored[Any]] = {name: made[kind] for name, kind in Visualizer.signature().inputs.items()}
    (output := tmp_path / "output").mkdir()
    figures = Visualizer().run(Context(output=output), **inputs)
    assert figures.model_card_file == "model_card.md"
    assert "model_card.md" in figures.file_names()
    statements = Statements(**{name: stored.artifact for name, stored in inputs.items()})
    assert (output / "model_card.md").read_text() == render_card(statements)
    assert "components.visualizer.model_card" in find_modules(Visualizer), "its template is part of the fingerprint"


def test_figures_may_have_no_card() -> None:
    figure = {"name": "a", "file": "a.png", "title": "A", "alt": "a"}
    assert Figures.model_validate({"figures": (figure,)}).file_names() == ("a.png",)

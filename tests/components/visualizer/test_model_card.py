"""The model card: what the manifests state of a model, in Markdown that any reader reads, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components import Context, Figures, Stored, Visualizer
from components.artifacts import Export, ExportFormat
from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.testing.contract import make_inputs
from components.visualizer.model_card import render_card
from components.visualizer.report.card_html import card_html
from components.visualizer.report.format import TIMES, percent
from components.visualizer.report.report_data import ReportData, Statements
from job.store.source_code import find_modules
from tests.support.html import read_html
from tests.support.markdown import read_markdown, to_html
from tests.support.report_data import full_report_data, minimal_report_data, report_html
from tests.support.statements import changed

ORDER = [
    *("Model details", "Intended use", "Factors", "Metrics", "Verdict", "Baseline", "Data", "Anomalies", "Drift"),
    *("Results in parts", "Classes", "Slices", "Spoilt images", "Calibration", "Limits", "How to reproduce it"),
]
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)*(?!\w)")
OURS = {"0", "1", "2", "5", "10", "255", "2019", "256"}
"""Of what a card says of any model: pixels, Brier's score, severities, powers of ten, the paper's year, SHA-256."""
EVIL = "a|b <b>c</b> `d` *e* [f](g) &amp; _h_ \\"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return full_report_data(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return minimal_report_data(tmp_path_factory.mktemp("plain"))


def manifests(story: Statements) -> dict[str, Any]:
    """Return what is stated as the JSON that manifests hold, by the name of the artifact."""
    return {
        name: json.loads(getattr(story, name).model_dump_json())
        for name in ("examples", "transformed", "model", "evaluation")
    }


def in_percent(share: float, decimals: int = 2) -> str:
    return "100 %" if share == 1 else "0 %" if share == 0 else f"{share * 100:.{decimals}f} %"


def interval(found: dict[str, Any]) -> str:
    return f"{found['low'] * 100:.2f}\N{EN DASH}{found['high'] * 100:.2f} %"


def numbers_in(value: Any) -> Iterator[str]:
    """Yield every number in a manifest, in each way in which one may be told."""
    if isinstance(value, dict):
        yield from (form for each in value.items() for part in each for form in numbers_in(part))
    elif isinstance(value, list):
        yield from (form for each in value for form in numbers_in(each))
    elif isinstance(value, str):
        yield from NUMBER.findall(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        told = abs(value)
        yield f"{told:.1e}".partition("e")[0].removesuffix(".0")
        for number in (told, told * 100):
            yield from (f"{number:.{decimals}f}" for decimals in range(5))
            yield from (f"{number:,.0f}", f"{number:g}", f"{number:.3g}")


def derived(stated: dict[str, Any]) -> Iterator[Any]:
    """Yield what follows from the numbers of manifests: sums, counts, differences, shares and means."""
    evaluation, examples = stated["evaluation"], stated["examples"]
    matrix, metrics = evaluation["confusion_matrix"], evaluation["metrics"]
    yield metrics["count"] - sum(row[label] for label, row in enumerate(matrix))
    splits = examples["splits"].values()
    yield sum(split["count"] for split in splits)
    yield [count / split["count"] for split in splits for count in split["label_counts"]]
    yield [min(split["label_counts"]) for split in splits], [max(split["label_counts"]) for split in splits]
    yield [found["count"] - 6 for found in examples["anomalies"] if found["count"] > 6]
    yield [found["count"] - found["correct"] for found in evaluation["slices"]]
    for counted in (stated["model"]["history"], examples["class_names"], evaluation["slices"]):
        yield len(counted)
    if evaluation["robustness"]:
        yield len(evaluation["robustness"]["curves"])
        yield [sum(curve["accuracies"]) / 5 for curve in evaluation["robustness"]["curves"]]
    if baseline := evaluation["baseline"]:
        yield baseline["only_model_right"] + baseline["only_baseline_right"]
        yield [metrics[name] - value for name, value in baseline["metrics"].items() if isinstance(value, float)]
    if infra := evaluation["infra_validation"]:
        yield infra["size"] / 1e6
    if calibration := evaluation["calibration"]:
        bins = [found for found in calibration["reliability"] if found["count"]]
        yield sum(found["count"] * found["confidence"] for found in bins) / sum(found["count"] for found in bins)


def numbers_told(card: str) -> set[str]:
    return set(NUMBER.findall(re.sub(r"`[0-9a-f]{64}`|\b[0-9a-f]{64}\b", "", card)))


def unknown(card: str, story: Statements) -> set[str]:
    stated = manifests(story)
    known = {*numbers_in(stated), *(form for each in derived(stated) for form in numbers_in(list_of(each)))}
    return numbers_told(card) - known - OURS


def list_of(value: Any) -> Any:
    return [list_of(each) for each in value] if isinstance(value, tuple | list) else value


@pytest.mark.parametrize("kind", ["full", "plain"])
def test_every_number_in_it_is_one_of_the_manifests(kind: str, request: pytest.FixtureRequest) -> None:
    story: ReportData = request.getfixturevalue(kind)
    card = render_card(story)
    assert len(numbers_told(card)) > 30
    assert unknown(card, story) == set()
    accuracy = f"{story.evaluation.metrics.accuracy * 100:.2f} %"
    assert unknown(card.replace(accuracy, "76.54 %"), story) == {"76.54"}, "this would find another"


def test_it_is_told_in_order_with_one_title(full: ReportData, plain: ReportData) -> None:
    for story in (full, plain):
        title, *headings = read_markdown(render_card(story))
        assert title == "Model card: made-up squares"
        assert headings == ORDER
        assert render_card(story).count(CARD_RUN_PLACEHOLDER) == 1


def test_metrics_have_interval_and_method_and_the_number_of_images(full: ReportData) -> None:
    metrics = manifests(full)["evaluation"]["metrics"]
    part = read_markdown(render_card(full))["Metrics"]
    assert f"over {metrics['count']} test images" in part.text
    (table,) = part.tables
    assert table[0] == ["Figure", "Test images", "95 % interval"]
    methods = {"wilson": "(Wilson)", "bootstrap": "(bootstrap, 1,000 resamples)"}
    names = ["accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error"]
    assert [row[1:] for row in table[1:6]] == [
        [in_percent(metrics[name]), f"{interval(found)} {methods[found['method']]}"]
        for name, found in ((name, metrics[f"{name}_interval"]) for name in names)
    ]
    assert table[6:] == [
        ["loss (nats)", f"{metrics['loss']:.4f}", ""],
        ["Brier score", f"{metrics['brier_score']:.4f}", ""],
    ]


def test_slices_and_classes_are_all_there_with_their_intervals(full: ReportData) -> None:
    stated, parts = manifests(full)["evaluation"], read_markdown(render_card(full))
    (table,) = parts["Slices"].tables
    found = sorted(stated["slices"], key=lambda each: (each["accuracy"], f"{each['dimension']}/{each['name']}"))
    assert [row[0].split(" ")[0] for row in table[1:]] == [f"{each['dimension']}/{each['name']}" for each in found]
    assert [row[1:] for row in table[1:]] == [
        [
            f"{each['count']}",
            f"{each['count'] - each['correct']}",
            in_percent(each["accuracy"]),
            interval(each["accuracy_interval"]),
        ]
        for each in found
    ]
    (table,) = parts["Classes"].tables
    assert table[1:] == [
        [row["name"], *(in_percent(row[name]) for name in ("precision", "recall", "f1")), f"{row['support']}"]
        for row in stated["per_class"]
    ]


def test_the_data_are_told_by_split_and_class_with_what_is_odd(full: ReportData) -> None:
    stated, parts = manifests(full)["examples"], read_markdown(render_card(full))
    splits, classes, identity = parts["Data"].tables
    assert [row[:2] for row in splits[1:]] == [[name, f"{it['count']}"] for name, it in stated["splits"].items()]
    assert [[cell.split(" ")[0] for cell in row] for row in classes[1:]] == [
        [name, *(f"{it['label_counts'][label]}" for it in stated["splits"].values())]
        for label, name in enumerate(stated["class_names"])
    ]
    assert ["content_sha256", stated["source"]["identity"]["content_sha256"]] in identity
    assert "stratified" in parts["Data"].text
    assert f"16{TIMES}16 pixels" in parts["Data"].text
    for anomaly in stated["anomalies"]:
        assert f"{anomaly['level']} : {anomaly['message']}" in parts["Anomalies"].text
    (drift,) = parts["Drift"].tables
    assert [row[1] for row in drift[1:]] == [f"{found['distance']:.4f}" for found in stated["drift"]["measures"]]
    assert "drifted from those that they were held against, in ink (train)" in parts["Limits"].text


def test_verdict_baseline_and_what_spoils_it_are_those_of_the_evaluation(full: ReportData) -> None:
    stated, parts = manifests(full)["evaluation"], read_markdown(render_card(full))
    (checks,) = parts["Verdict"].tables
    assert len(checks) == 1 + len(stated["blessing"]["checks"])
    assert {row[3].split(",")[0] for row in checks[1:]} == {"✓ passed"}
    assert parts["Verdict"].text.startswith("BLESSED ")
    (both,) = parts["Baseline"].tables
    of_baseline = stated["baseline"]["metrics"]
    assert both[1][1:3] == [in_percent(stated["metrics"]["accuracy"]), in_percent(of_baseline["accuracy"])]
    assert stated["baseline"]["weights_sha256"] in parts["Baseline"].text
    (spoilt,) = parts["Spoilt images"].tables
    curves = {curve["corruption"]: curve["accuracies"] for curve in stated["robustness"]["curves"]}
    assert {row[0]: row[2:7] for row in spoilt[1:]} == {
        name: [in_percent(accuracy, 1) for accuracy in accuracies] for name, accuracies in curves.items()
    }
    assert "fall most in images that were spoilt: shift (to 52.0 % at severity 5, 5 pixels)" in parts["Limits"].text
    calibration = stated["calibration"]
    assert "1.213, is not applied" in parts["Limits"].text
    errors = [in_percent(calibration[name]) for name in ("scaled_error", "unscaled_error")]
    assert f"would be {errors[0]} instead of {errors[1]}" in parts["Limits"].text


def test_how_it_was_trained_can_be_told_from_it(full: ReportData) -> None:
    stated, parts = manifests(full)["model"], read_markdown(render_card(full))
    told = dict(parts["How to reproduce it"].tables[0])
    ran = stated["environment"]
    assert told["seed of the training"] == f"{ran['seed']}"
    assert (told["Python"], told["device"], told["threads"]) == (ran["python"], ran["device"], f"{ran['threads']}")
    assert all(told[name] == version for name, version in ran["versions"].items())
    assert f"The weights then have the SHA-256 {stated['weights_sha256']}" in parts["How to reproduce it"].text
    model, files = parts["Model details"].tables
    assert ["Parameters", f"{stated['parameters']}"] in model
    assert [row[0] for row in files[1:]] == [stated["file"]]


def test_the_forms_of_the_model_are_told_with_what_they_take_and_how_far_they_are_off(full: ReportData) -> None:
    files: dict[ExportFormat, str] = {"keras": "model.keras", "saved_model": "saved_model", "litert": "model.tflite"}
    exports = tuple(
        Export(format=name, file=file, images=100, largest_difference=3.6e-7, tolerance=1e-5)
        for name, file in files.items()
    )
    model = changed(full.model, file="model.keras", exports=exports, test_time_shift=2)
    part = read_markdown(render_card(dataclasses.replace(full, model=model)))["Model details"]
    assert "moved by up to 2 pixels. The files do that by themselves." in part.text
    _, *rows = part.tables[1]
    assert [row[0] for row in rows] == ["model.keras", "saved_model/", "model.tflite"]
    assert {row[2] for row in rows} == {"images : raw images, uint8 [batch, 16, 16] , 0 to 255"}
    assert ["label" in row[3] for row in rows] == [False, True, True]
    assert {row[4] for row in rows} == {f"3.6 {TIMES} 10⁻⁷ (at most 1 {TIMES} 10⁻⁵), 100 images"}


def test_images_that_it_learned_from_are_told_where_the_figures_are(full: ReportData) -> None:
    overlaps = tuple(
        overlap.model_copy(update={"images": int({*overlap.splits} == {"train", "test"})})
        for overlap in full.transformed.overlaps
    )
    assert "which it did not learn from" in read_markdown(render_card(full))["Metrics"].text
    shared = dataclasses.replace(full, transformed=changed(full.transformed, overlaps=overlaps, shared_images=1))
    parts = read_markdown(render_card(shared))
    assert "which it did not learn from" not in parts["Metrics"].text
    assert parts["Anomalies"].text.startswith("The same to the last pixel: 1 image in both train and test.")
    assert "More than one split has the same 1 image" in parts["Limits"].text


def test_a_class_without_test_images_is_not_the_one_that_is_recognized_least(full: ReportData) -> None:
    rows = [row.model_copy(update={"support": 0, "recall": 0.0}) for row in full.evaluation.per_class[:1]]
    evaluation = changed(full.evaluation, per_class=(*rows, *full.evaluation.per_class[1:]))
    told = read_markdown(render_card(dataclasses.replace(full, evaluation=evaluation)))["Classes"].text
    assert f"recognized least is {rows[0].name}" not in told


def test_a_training_that_went_on_with_a_later_epoch_has_a_card(full: ReportData) -> None:
    model = changed(full.model, history=(full.model.history[0].model_copy(update={"epoch": 12}),), best_epoch=12)
    assert "those of epoch 12:" in render_card(dataclasses.replace(full, model=model))


def test_a_model_that_is_not_blessed_says_so_where_it_is_meant_to_be_used(tmp_path: Path) -> None:
    parts = read_markdown(render_card(full_report_data(tmp_path, blessed=False)))
    assert "It is not blessed" in parts["Intended use"].text
    assert parts["Verdict"].text.startswith("NOT BLESSED ")
    assert parts["Verdict"].tables[0][1][3] == "✗ failed"
    assert parts["Limits"].text.startswith("It is not blessed: it failed what was asked of it")
    assert not any(
        "It is not blessed" in part.text
        for part in read_markdown(render_card(full_report_data(tmp_path / "b"))).values()
    )


def test_what_nobody_looked_at_is_said(plain: ReportData) -> None:
    parts = read_markdown(render_card(plain))
    assert "It was compared with no baseline." in parts["Baseline"].text
    assert parts["Slices"].text == parts["Spoilt images"].text == "They were not looked at."
    assert "This evaluation looked no further into it." in parts["Calibration"].text
    assert "The data were held against no others." in parts["Drift"].text
    assert (
        "Not looked at: slices of the test images, spoilt images, calibration beyond its error, a baseline, what is "
        "served and drift of the data." in parts["Limits"].text
    )
    assert "linear model" in parts["Model details"].tables[0][1][1]
    assert not any(parts[name].tables for name in ("Baseline", "Slices", "Spoilt images", "Calibration", "Drift"))


def test_names_are_words_and_never_markup(full: ReportData) -> None:
    names = (EVIL, *full.examples.class_names[1:])
    source = changed(full.examples.source, title=f"# {EVIL}", identity={EVIL: EVIL})
    anomalies = tuple(changed(found, message=EVIL) for found in full.examples.anomalies)
    evaluation = changed(
        full.evaluation,
        per_class=(changed(full.evaluation.per_class[0], name=EVIL), *full.evaluation.per_class[1:]),
        slices=(changed(full.evaluation.slices[0], name=EVIL), *full.evaluation.slices[1:]),
    )
    examples = changed(full.examples, class_names=names, source=source, anomalies=anomalies)
    model = changed(full.model, class_names=names)
    story = dataclasses.replace(full, examples=examples, evaluation=evaluation, model=model)
    page = to_html(render_card(story))
    assert not page.all("a", "b", "img", "em", "del")
    assert {len({len(row.all("th", "td")) for row in table.all("tr")}) for table in page.all("table")} == {1}
    title, *headings = parts = read_markdown(render_card(story))
    assert title == f"Model card: # {EVIL}"
    assert headings == ORDER
    assert parts["Data"].tables[1][1][0] == parts["Data"].tables[2][2][0] == parts["Classes"].tables[0][1][0] == EVIL
    assert f"class/{EVIL}" in [row[0] for row in parts["Slices"].tables[0]]
    assert EVIL in parts["Intended use"].text
    assert "<b>c" not in report_html(story)


def test_the_report_shows_the_same_text_one_heading_deeper(full: ReportData) -> None:
    card = render_card(full)
    section = read_html(report_html(full)).by_id("model-card")
    assert [heading.text for heading in section.all("h2", "h3", "h4")] == ["Model card", *ORDER]
    assert not section.all("h1")
    told = read_html(card_html(card)).text.split()
    (title, *rest) = (element for element in to_html(card.replace(CARD_RUN_PLACEHOLDER, "")).children)
    assert title.tag == "h1"
    words = [word for element in rest for word in element.text.split()]
    assert [word.removesuffix(":") for word in told] == [word.removesuffix(":") for word in words]
    assert CARD_RUN_PLACEHOLDER not in section.text
    assert percent(full.evaluation.metrics.accuracy) in report_html(full), "numbers stay beside their signs"


def test_the_visualizer_names_it_and_its_template_decides_its_fingerprint(tmp_path: Path) -> None:
    made = make_inputs(tmp_path / "inputs")
    inputs: dict[str, Stored[Any]] = {name: made[kind] for name, kind in Visualizer.signature().inputs.items()}
    (output := tmp_path / "output").mkdir()
    figures = Visualizer().run(Context(output=output), **inputs)
    assert figures.model_card_file == "model_card.md"
    assert "model_card.md" in figures.file_names()
    stated = Statements(**{name: stored.artifact for name, stored in inputs.items()})
    assert (output / "model_card.md").read_text() == render_card(stated)
    assert "components.visualizer.model_card" in find_modules(Visualizer)


def test_figures_without_a_card_are_figures_too() -> None:
    figure = {"name": "a", "file": "a.png", "title": "A", "alt": "a"}
    assert Figures.model_validate({"figures": (figure,)}).file_names() == ("a.png",)

"""The report as one HTML page; the same data gives the same bytes."""

from pathlib import Path

from components.artifacts.figures import REPORT_LINKS_PLACEHOLDER, REPORT_RUN_PLACEHOLDER
from components.base.text import escape_document
from components.html.templates import render_html
from components.visualizer.report.sections import (
    calibration,
    custom_figures,
    data,
    feature_maps,
    learning_curves,
    mistakes,
    model_card,
    network,
    slices_and_robustness,
    training_images,
    verdict,
)
from components.visualizer.report_data import ReportData

FOLDER = Path(__file__).parent


def render_report(report: ReportData, card: str) -> str:
    """Return the report as a self-contained HTML document; `card` is the model card as Markdown."""
    sketchpad = report.sketchpad
    sections = [
        ("curves", "Learning curves", learning_curves.render_learning_curves(report)),
        ("confusions", "Confusion matrix", mistakes.render_confusion_matrix(report)),
        ("mistakes", "Mistakes", mistakes.render_mistakes(report)),
        ("network", "Network", network.render_network(report)),
        ("maps", "Feature maps", feature_maps.render_feature_maps(report)),
        ("sketchpad", "Sketchpad", sketchpad.html if sketchpad else ""),
        ("calibration", "Calibration", calibration.render_calibration(report)),
        ("weak-spots", "Slices and robustness", slices_and_robustness.render_slices_and_robustness(report)),
        *custom_figures.render_custom_figures(report),
        ("data", "Data", data.render_data(report)),
        ("training-images", "Training images", training_images.render_training_images(report)),
        ("model-card", "Model card", model_card.render_model_card(card)),
    ]
    page = render_html(
        FOLDER,
        "page.html.j2",
        title=report.examples.source.title,
        headline=verdict.headline(report),
        stamp=verdict.stamp(report.evaluation),
        verdict=verdict.render_verdict(report),
        sections=[section for section in sections if section[-1]],
        sketchpad=sketchpad,
        run_placeholder=REPORT_RUN_PLACEHOLDER,
        links_placeholder=REPORT_LINKS_PLACEHOLDER,
    )
    return escape_document(page)

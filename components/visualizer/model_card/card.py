"""The model card as Markdown; the same statements give the same text.

Its order is that of M. Mitchell et al., "Model Cards for Model Reporting" (2019), as far as manifests can fill it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from components.artifacts import RUBBER_STAMPED, Evaluation
from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.base.markdown import Markdown, code, escape, table
from components.visualizer.figure_data import ClassDistribution
from components.visualizer.format import TextTable, counted, image_size, listed, percent
from components.visualizer.model_card.limits import model_limits
from components.visualizer.model_card.model_details import files_table, model_table, training_table
from components.visualizer.report.checks import check_rows
from components.visualizer.report.metrics import baseline_comparison, baseline_table, metrics_table
from components.visualizer.report.sections import calibration, confusion_matrix, data, slices_and_robustness, verdict
from components.visualizer.report_data import Statements
from components.visualizer.templates import template_environment

MIDDLE_GREY = 127.5
MAX_CLASS_NAMES = 100
"""Class names in the section "Intended use"; the tables list all."""


def render_card(statements: Statements) -> str:
    """Return the card as GitHub-flavoured Markdown, without any HTML except `CARD_RUN_PLACEHOLDER`.

    The paragraph before each table is its caption.
    """
    text = (
        template_environment(Path(__file__).parent, _to_markdown)
        .get_template("card.md.j2")
        .render(
            **_model(statements),
            **_metrics(statements),
            **_data(statements),
            **_analyses(statements.evaluation),
            limits=model_limits(statements),
            training=training_table(statements),
            weights=code(statements.model.weights_sha256),
            test_digest=code(statements.evaluation.test_sha256),
            run_placeholder=Markdown(CARD_RUN_PLACEHOLDER),
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _to_markdown(value: Any) -> Markdown:
    return table(value.columns, value.rows) if isinstance(value, TextTable) else escape(value)


def _model(statements: Statements) -> dict[str, Any]:
    model = statements.model
    names = model.class_names[:MAX_CLASS_NAMES]
    more = len(model.class_names) - len(names)
    mean = statements.examples.splits.train.pixel_mean
    return {
        "title": statements.examples.source.title,
        "headline": verdict.headline(statements),
        "introduction": verdict.introduction(statements),
        "model": model_table(model),
        "files": files_table(model),
        "exported": bool(model.exports),
        "shift": model.test_time_shift and counted(model.test_time_shift, "pixel"),
        "infra_validation": verdict.infra_validation_text(statements.evaluation),
        "class_count": counted(len(model.class_names), "class", "classes"),
        "class_names": listed([*names, f"{more:,} more"] if more else names),
        "size": image_size(model.image_shape),
        "tone": "bright strokes on a dark background" if mean < MIDDLE_GREY else "dark strokes on a bright background",
        "mean": f"{mean:.1f}",
    }


def _metrics(statements: Statements) -> dict[str, Any]:
    evaluation = statements.evaluation
    blessing, baseline = evaluation.blessing, evaluation.baseline
    checks = tuple((row.name, row.value, row.bounds, row.result) for row in check_rows(blessing))
    return {
        "count": counted(evaluation.metrics.count, "test image"),
        "trained_on_test_images": any(
            overlap.images and {*overlap.splits} == {"train", "test"} for overlap in statements.transformed.overlaps
        ),
        "metrics": metrics_table(evaluation.metrics),
        "blessed": blessing.verdict == "BLESSED",
        "stamp": verdict.stamp(evaluation),
        "rubber_stamped": blessing.rubber_stamped and RUBBER_STAMPED,
        "checks": checks and TextTable(("Check", "Measured", "Required", "Result"), checks),
        "baseline": baseline and baseline_comparison(evaluation.metrics, baseline),
        "baseline_weights": baseline and code(baseline.weights_sha256),
        "baseline_table": baseline and baseline_table(evaluation.metrics, baseline),
    }


def _data(statements: Statements) -> dict[str, Any]:
    examples = statements.examples
    identity = examples.source.identity
    return {
        "dataset": data.dataset_text(examples),
        "splits": data.split_table(examples),
        "classes": data.class_table(ClassDistribution.from_examples(examples)),
        "identity": identity and TextTable(("Name", "Value"), (("source", examples.source.kind), *identity.items())),
        "overlap": data.overlap_text(statements.transformed),
        "shared": statements.transformed.shared_images,
        "anomalies": [(anomaly, data.anomaly_examples(anomaly)) for anomaly in examples.anomalies],
        "drift": data.drift_table(examples),
    }


def _analyses(evaluation: Evaluation) -> dict[str, Any]:
    robustness, temperature = evaluation.robustness, evaluation.calibration
    slices = slices_and_robustness.slices_worst_first(evaluation)
    return {
        "dimensions": listed(list(dict.fromkeys(each.dimension for each in evaluation.slices))),
        "corruptions": robustness
        and f"{counted(len(robustness.curves), 'way')} ({', '.join(curve.corruption for curve in robustness.curves)})",
        "confusions": confusion_matrix.confusion_text(evaluation),
        "per_class": confusion_matrix.per_class_table(evaluation),
        "slices": slices and slices_and_robustness.slice_table(slices),
        "slices_text": slices and slices_and_robustness.slices_text(evaluation),
        "confidence": slices and percent(slices[0].accuracy_interval.confidence, 0),
        "robustness": robustness and slices_and_robustness.robustness_table(robustness),
        "robustness_text": robustness and slices_and_robustness.robustness_text(robustness),
        "calibration_error": calibration.calibration_error_text(evaluation),
        "temperature": temperature and calibration.temperature_text(temperature),
        "temperature_table": temperature and calibration.temperature_table(temperature),
    }

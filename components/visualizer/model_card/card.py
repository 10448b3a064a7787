"""The model card as Markdown: statements in, text out; the same statements give the same text.

The order is that of M. Mitchell et al., "Model Cards for Model Reporting" (2019), as far as manifests can fill it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.artifacts import RUBBER_STAMPED
from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.base.markdown import Markdown, code, escape, table
from components.visualizer.model_card.formats import KINDS, form_table
from components.visualizer.model_card.limits import tell_limits
from components.visualizer.report.charts import Table
from components.visualizer.report.checks import tell_checks
from components.visualizer.report.format import counted, listed, percent
from components.visualizer.report.metrics import baseline_table, compare, figure_table
from components.visualizer.report.sections.calibration import tell_error, tell_temperature, temperature_table
from components.visualizer.report.sections.confusions import per_class_table, tell_most_common
from components.visualizer.report.sections.data import (
    class_table,
    drift_table,
    size_of,
    split_table,
    tell_finding,
    tell_overlap,
    tell_source,
)
from components.visualizer.report.sections.verdict import headline, standfirst, tell_infra
from components.visualizer.report.sections.weak_spots import (
    robustness_table,
    slice_table,
    tell_robustness,
    tell_slices,
    worst_first,
)

if TYPE_CHECKING:
    from components.artifacts import Evaluation, Examples, Model
    from components.visualizer.report.report_data import Statements

MIDDLE = 127.5
MOST_NAMES = 100
"""Classes that are named one by one where the card says what the model is for; its tables have all."""


def render_card(stated: Statements) -> str:
    """Return the card: headings, paragraphs, lists and tables of GitHub-flavoured Markdown, and no HTML but a comment.

    The paragraph before a table says what is in it. Whoever runs the job adds to the card what only he knows, at
    `components.visualizer.report.CARD_RUN_PLACEHOLDER`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701  (what is no Markdown becomes so, one line below)
        finalize=_written,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    told = environment.get_template("card.md.j2").render(
        **_model(stated),
        **_verdict(stated),
        **_data(stated),
        **_parts(stated.evaluation),
        limits=tell_limits(stated),
        environment=_environment(stated),
        weights=code(stated.model.weights_sha256),
        tested=code(stated.evaluation.test_sha256),
        run_place=Markdown(CARD_RUN_PLACEHOLDER),
    )
    return re.sub(r"\n{3,}", "\n\n", told).strip() + "\n"


def _written(value: Any) -> Markdown:
    return table(value.columns, value.rows) if isinstance(value, Table) else escape(value)


def _model(stated: Statements) -> dict[str, Any]:
    model, shape = stated.model, stated.model.image_shape
    mean, names = stated.examples.splits.train.pixel_mean, model.class_names[:MOST_NAMES]
    more = len(model.class_names) - len(names)
    return {
        "title": stated.examples.source.title,
        "headline": headline(stated.evaluation, stated.kind_of_model),
        "standfirst": standfirst(stated),
        "model": _model_table(model),
        "forms": form_table(model),
        "exported": bool(model.exports),
        "shift": model.test_time_shift and counted(model.test_time_shift, "pixel"),
        "infra": tell_infra(stated.evaluation),
        "classes": counted(len(model.class_names), "class", "classes"),
        "names": listed([*names, f"{more:,} more"] if more else names),
        "size": size_of(shape),
        "tone": (
            "dark on average, as bright strokes on a dark ground are"
            if mean < MIDDLE
            else "bright on average, as dark strokes on a bright ground are"
        ),
        "mean": f"{mean:.1f}",
    }


def _model_table(model: Model) -> Table:
    kept = model.best
    early = ", stopped early" if model.stopped_early else ""
    return Table(
        ("What", "Stated"),
        (
            ("Kind", KINDS[model.format]),
            ("Parameters", f"{model.parameters:,}"),
            ("Trained for", f"{counted(len(model.history), 'epoch')}{early}"),
            (
                "Weights kept",
                f"those of epoch {model.best_epoch}: {percent(kept.val_accuracy)} of the validation images right",
            ),
            ("SHA-256 of the weights", code(model.weights_sha256)),
        ),
    )


def _verdict(stated: Statements) -> dict[str, Any]:
    evaluation = stated.evaluation
    blessing, baseline = evaluation.blessing, evaluation.baseline
    checks = tell_checks(blessing)
    return {
        "count": counted(evaluation.metrics.count, "test image"),
        "learned": any(
            overlap.images and {*overlap.splits} == {"train", "test"} for overlap in stated.transformed.overlaps
        ),
        "figures": figure_table(evaluation.metrics),
        "blessed": blessing.verdict == "BLESSED",
        "stamp": blessing.verdict.replace("_", " "),
        "rubber_stamped": blessing.rubber_stamped and RUBBER_STAMPED,
        "checks": checks
        and Table(
            ("Check", "Measured", "Asked", "Result"),
            tuple((check.name, check.value, check.bound, check.result) for check in checks),
        ),
        "baseline": baseline and compare(evaluation.metrics, baseline),
        "baseline_weights": baseline and code(baseline.weights_sha256),
        "baseline_table": baseline and baseline_table(evaluation.metrics, baseline),
    }


def _data(stated: Statements) -> dict[str, Any]:
    examples = stated.examples
    return {
        "source": tell_source(examples),
        "splits": split_table(examples),
        "class_counts": class_table(examples),
        "identity": _identity(examples),
        "overlap": tell_overlap(stated.transformed),
        "shared": stated.transformed.shared_images,
        "findings": [tell_finding(anomaly) for anomaly in examples.anomalies],
        "drift": drift_table(examples),
    }


def _identity(examples: Examples) -> Table | None:
    found = examples.source.identity
    return Table(("What", "Stated"), (("kind of source", examples.source.kind), *found.items())) if found else None


def _parts(evaluation: Evaluation) -> dict[str, Any]:
    calibration, robustness = evaluation.calibration, evaluation.robustness
    slices = worst_first(evaluation)
    return {
        "dimensions": listed(list(dict.fromkeys(found.dimension for found in evaluation.slices))),
        "corruptions": robustness
        and f"{counted(len(robustness.curves), 'way')} ({', '.join(curve.corruption for curve in robustness.curves)})",
        "confusions": tell_most_common(evaluation),
        "per_class": per_class_table(evaluation),
        "slices": slices and slice_table(slices),
        "slices_told": slices and tell_slices(evaluation),
        "confidence": slices and percent(slices[0].accuracy_interval.confidence, 0),
        "robustness": robustness and robustness_table(robustness),
        "robustness_told": robustness and tell_robustness(robustness),
        "calibration_error": tell_error(evaluation),
        "temperature": calibration and tell_temperature(calibration),
        "temperature_table": calibration and temperature_table(calibration),
    }


def _environment(stated: Statements) -> Table:
    ran = stated.model.environment
    return Table(
        ("What", "Stated"),
        (
            ("seed of the training", f"{ran.seed}"),
            ("seed of the splits", f"{stated.examples.seed}"),
            ("Python", ran.python),
            *ran.versions.items(),
            ("device", ran.device),
            ("threads", f"{ran.threads}"),
        ),
    )

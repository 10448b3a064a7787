"""The model card as Markdown; the same statements give the same text.

Its order is that of M. Mitchell et al., "Model Cards for Model Reporting" (2019), as far as manifests can fill it.
"""

import re
from pathlib import Path
from typing import Any

from components.artifacts import RUBBER_STAMPED
from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.base.markdown import Markdown, code, escape, table
from components.base.text import escape_document
from components.html.format import TextTable, listed
from components.html.templates import template_environment
from components.visualizer.model_card import limits
from components.visualizer.report import metrics
from components.visualizer.report.sections import calibration, data, mistakes, network, slices_and_robustness, verdict
from components.visualizer.statements import Statements

MAX_CLASS_NAMES = 100
"""Class names in the section "Intended use"; the tables list all."""
TEXT_MODULES = {
    "calibration": calibration,
    "data": data,
    "limits": limits,
    "metrics": metrics,
    "mistakes": mistakes,
    "network": network,
    "slices_and_robustness": slices_and_robustness,
    "verdict": verdict,
}
"""Modules whose functions the template calls."""


def render_card(statements: Statements) -> str:
    """Return the card as GitHub-flavoured Markdown, without any HTML except `CARD_RUN_PLACEHOLDER`.

    The paragraph before each table is its caption.
    """
    examples, evaluation, model = statements.examples, statements.evaluation, statements.model
    names, more = model.class_names[:MAX_CLASS_NAMES], len(model.class_names) - MAX_CLASS_NAMES
    template = template_environment(Path(__file__).parent, _to_markdown).get_template("card.md.j2")
    text = template.render(
        TEXT_MODULES,
        statements=statements,
        examples=examples,
        transformed=statements.transformed,
        model=model,
        evaluation=evaluation,
        class_names=listed([*names, f"{more:,} more"] if more > 0 else names),
        checks=metrics.checks_table(evaluation.blessing),
        slices=slices_and_robustness.slices_worst_first(evaluation),
        rubber_stamped=RUBBER_STAMPED,
        code=code,
        run_placeholder=Markdown(CARD_RUN_PLACEHOLDER),
    )
    return escape_document(re.sub(r"\n{3,}", "\n\n", text).strip()) + "\n"


def _to_markdown(value: Any) -> Markdown:
    return table(value.columns, value.rows) if isinstance(value, TextTable) else escape(value)

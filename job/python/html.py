"""A run as HTML, for notebooks: outcome, metrics, steps and the path of the report."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from components.base.text import printable
from job.store.records import RunRecord

CELL = "text-align: left; vertical-align: top; padding: 2px 12px 2px 0; border: 0; background: none"
NUMBER = f"{CELL}; text-align: right; font-variant-numeric: tabular-nums"
TABLE = "border-collapse: collapse; margin: 8px 0"
SIDE_BY_SIDE = "display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 32px"
VERDICTS = {True: ("#1a7f37", "BLESSED"), False: ("#b35900", "NOT BLESSED")}
FAILED = "#c62828"
"""Colors with a contrast of at least 4.5 to the white text on them (WCAG 2.2); the rest has the notebook's colors."""


def render_run(
    record: RunRecord, validation: Mapping[str, float], test: Mapping[str, float], report: Path | None = None
) -> str:
    """Return a fragment of HTML without scripts and without resources."""
    title = " · ".join(filter(None, (f"run {record.run_id}", record.name, record.data_set, f"{record.seconds:.1f} s")))
    parts = [f"<strong>{_text(title)}</strong> {_badge(record)}"]
    if record.failure is not None:
        parts += [_paragraph(text) for text in (record.failure.headline, record.failure.remedy)]
    parts += [_paragraph(text) for text in record.failed_checks()]
    tables = []
    if names := dict.fromkeys((*validation, *test)):
        rows = [(name.replace("_", " "), _number(validation, name), _number(test, name)) for name in names]
        tables.append(_table(("metric", "validation", "test"), rows, numbers={1, 2}))
    if record.steps:
        steps = [(step.component, step.status, f"{step.seconds:.2f}", step.reason) for step in record.steps]
        tables.append(_table(("step", "status", "seconds", "why"), steps, numbers={2}))
    parts.append(f'<div style="{SIDE_BY_SIDE}">{"".join(tables)}</div>')
    if report is not None:
        parts.append(f'<a href="{escape(quote(str(report)))}" target="_blank">Report</a>')
    return f"<div>{''.join(parts)}</div>"


def _badge(record: RunRecord) -> str:
    if record.failure is not None:
        color, text = FAILED, str(record.outcome)
    elif record.blessed is not None:
        color, text = VERDICTS[record.blessed]
    else:
        return ""
    style = f"background: {color}; color: white; border-radius: 4px; padding: 1px 6px; font-size: 85%"
    return f'<span style="{style}">{_text(text)}</span>'


def _number(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4f}" if name in metrics else ""


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, numbers: set[int]) -> str:
    def cells(tag: str, values: tuple[str, ...]) -> str:
        styles = (NUMBER if place in numbers else CELL for place in range(len(values)))
        row = (f'<{tag} style="{style}">{_text(value)}</{tag}>' for style, value in zip(styles, values, strict=True))
        return f"<tr>{''.join(row)}</tr>"

    body = "".join(cells("td", row) for row in rows)
    return f'<table style="{TABLE}"><thead>{cells("th", columns)}</thead><tbody>{body}</tbody></table>'


def _paragraph(text: str) -> str:
    return f'<div style="margin: 4px 0">{_text(text)}</div>'


def _text(text: str) -> str:
    return escape(printable(text))

"""The page of a sweep: `<root>/sweeps/<sweep id>/index.html`, with its ranking, its trials and what they tried."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.base.text import printable
from components.html.drawing import Scale
from components.html.format import MINUS, counted, listed, percent
from components.html.templates import render_html
from job.reporters.sweep.parallel import Axis, Line, Value, is_number, parallel_coordinates

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial as the page shows it."""

    number: int
    state: str
    """Such as `finished`, `running`, `paused`, `stopped` or `failed`."""
    parameters: Mapping[str, Any]
    accuracy: float | None = None
    """On the validation split."""
    epochs: int | None = None
    cpu_seconds: float | None = None
    run: str | None = None
    """The id of its newest run."""
    reason: str = ""
    """Why it stopped or failed."""


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """The trials that differ in the seed only."""

    rank: int
    parameters: Mapping[str, Any]
    trials: tuple[int, ...]
    mean: float | None
    spread: float | None


@dataclass(frozen=True, kw_only=True)
class WinnerRow:
    """The winner on the test split."""

    parameters: Mapping[str, Any]
    accuracy: float
    details: str
    """Interval and verdict."""
    report: str
    """The report of its run, relative to the page."""


@dataclass(frozen=True, kw_only=True)
class SweepView:
    """All that the page shows."""

    id: str
    title: str
    finished: bool
    counts: str
    """Such as `9 trials: 7 finished, 1 paused, 1 failed`."""
    description: str
    trials: Sequence[TrialRow]
    """The best first."""
    groups: Sequence[GroupRow]
    """The best first; empty if no two trials differ in the seed only."""
    winner: WinnerRow | None
    command: str
    logarithmic: Collection[str] = ()
    """The keys that were sampled on a logarithmic scale."""


def render_page(view: SweepView) -> str:
    """Return the page as HTML."""
    return render_html(
        FOLDER,
        "page.html.j2",
        view=view,
        keys=tuple(view.trials[0].parameters),
        group_keys=tuple(view.groups[0].parameters) if view.groups else (),
        parameter=format_parameter,
        chart=_chart(view),
    )


def format_parameter(value: Any) -> str:
    """Return a value of a parameter as text, as in YAML."""
    if is_number(value):
        return f"{value:g}".replace("-", MINUS)
    return printable(value if isinstance(value, str) else json.dumps(value))


def _chart(view: SweepView) -> Markup:
    """Return the chart of all trials."""
    keys = tuple(view.trials[0].parameters)
    axes = []
    for key in keys:
        values = [_on_axis(trial.parameters[key]) for trial in view.trials]
        axes.append(Axis.of(key, values, format_parameter, logarithmic=key in view.logarithmic))
    results = [trial.accuracy for trial in view.trials]
    axes.append(Axis.to_scale("validation accuracy", results, percent))
    known = [result for result in results if result is not None]
    to_share = Scale(min(known, default=0), max(known, default=0), 0, 1)
    lines = [
        Line(
            key=str(trial.number),
            values=(*(_on_axis(trial.parameters[key]) for key in keys), trial.accuracy),
            readout=_readout(trial),
            share=None if trial.accuracy is None else to_share(trial.accuracy),
        )
        for trial in view.trials
    ]
    alt = f"{counted(len(lines), 'trial')} as lines over {listed([axis.name for axis in axes])}"
    return parallel_coordinates(axes, lines, alt=alt)


def _on_axis(value: Any) -> Value:
    return value if is_number(value) else format_parameter(value)


def _readout(trial: TrialRow) -> str:
    values = ", ".join(f"{key} {format_parameter(value)}" for key, value in trial.parameters.items())
    result = trial.state if trial.accuracy is None else f"validation accuracy {percent(trial.accuracy)}"
    return f"trial {trial.number}: {values}: {result}"

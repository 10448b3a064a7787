"""Writes `<root>/sweeps/<sweep id>/index.html` from the state of a sweep."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.artifacts import Interval
from components.base.formatting import counted
from components.base.text import printable
from components.html.drawing import Scale
from components.html.format import interval_text, listed, percent
from components.html.templates import render_html
from components.io.atomic import write_atomically
from job.config.sweep import LogUniform, SweepConfig
from job.store.root import root_at
from job.sweep.page.parallel import Axis, Line, Value, is_number, parallel_coordinates
from job.sweep.records import Trial, TrialState
from job.sweep.reporter import format_value, short_names
from job.sweep.state import Sweep, SweepFolder

TEMPLATES = Path(__file__).parent
SECONDS_PER_TRIAL = 0.02
"""Minimum time between two refreshes, for each trial on the page: about fifty times that of writing it."""
SECTIONS: dict[TrialState, int] = {"finished": 0, "stopped": 1, "paused": 1, "running": 1, "waiting": 2, "failed": 3}
"""Position of a state in the table, the lowest first."""


def write_page(sweep: Sweep, folder: SweepFolder) -> None:
    """Write the page; raise JobError or OSError if that fails."""
    write_atomically(folder.page, render_page(sweep), what="the page of the sweep")
    root_at(folder.root).wrote(folder.page)


def refresh_page(sweep: Sweep, folder: SweepFolder) -> None:
    """Write the page, unless it was written recently: for a large sweep that takes long."""
    try:
        age = time.time() - folder.page.stat().st_mtime
    except FileNotFoundError:
        age = float("inf")
    if not 0 <= age < SECONDS_PER_TRIAL * len(sweep.trials):
        write_page(sweep, folder)


def render_page(sweep: Sweep) -> str:
    """Return the page as HTML."""
    config = SweepConfig.model_validate(sweep.head.sweep)
    trials = sorted(sweep.trials, key=lambda trial: (SECTIONS[trial.state], -(trial.accuracy or 0), trial.number))
    ranking = sweep.ranking()
    best = ranking[0] if ranking and ranking[0].accuracy is not None else None
    winner = None if sweep.winner is None or not sweep.winner.metrics else sweep.winner
    return render_html(
        TEMPLATES,
        "page.html.j2",
        head=sweep.head,
        finished=sweep.is_finished,
        counts=_counts(sweep),
        description=_description(config),
        best=best,
        trials=trials,
        ranking=ranking,
        names=short_names(config.space),
        setting_names=short_names(config.sampled),
        has_seeds=bool(config.seeds),
        winner=winner,
        winner_interval=""
        if winner is None
        else interval_text(Interval.model_validate(winner.metrics["accuracy_interval"])),
        value=format_value,
        printable=printable,
        values=_listed_values,
        chart=_chart(trials, config) if trials else None,
    )


def _counts(sweep: Sweep) -> str:
    states = Counter(trial.state for trial in sweep.trials)
    states["waiting"] += sweep.head.trial_count - len(sweep.trials)
    parts = [f"{states[state]} {state}" for state in SECTIONS if states[state]]
    return f"{counted(sweep.head.trial_count, 'trial')}: {', '.join(parts)}"


def _description(config: SweepConfig) -> str:
    """Return a description of the space, the sampler, and the rules that end trials early."""
    settings = counted(config.settings, "setting")
    chosen = f"A grid of {settings}"
    if not config.is_grid:
        chosen = f"{settings}, chosen {'at random' if config.random else 'by the results of earlier ones'}"
    seeds = len(config.seed_combinations())
    parts = [chosen + (f", each with {seeds} seeds" if seeds > 1 else "")]
    if config.halving is not None:
        epochs = counted(config.halving.epochs, "epoch")
        parts.append(f"After {epochs}, the best one in {config.halving.factor} continues, and so on")
    if config.pruner is not None:
        parts.append("Trials that are worse than earlier ones are stopped")
    return ". ".join(parts)


def _listed_values(values: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return listed([f"{names[key]} {format_value(value)}" for key, value in values.items()])


def _chart(trials: Iterable[Trial], config: SweepConfig) -> Markup:
    """Return the chart of all trials."""
    trials = [*trials]
    keys, names = [*config.space], short_names(config.space)
    axes = []
    for key in keys:
        values = [_on_axis(trial.parameters[key]) for trial in sorted(trials, key=lambda trial: trial.number)]
        is_logarithmic = isinstance(config.space[key], LogUniform)
        axes.append(Axis.of(key, values, format_value, logarithmic=is_logarithmic))
    results = [trial.accuracy for trial in trials]
    axes.append(Axis.to_scale("validation accuracy", results, percent))
    known = [result for result in results if result is not None]
    to_share = Scale(min(known, default=0), max(known, default=0), 0, 1)
    lines = [
        Line(
            key=str(trial.number),
            values=(*(_on_axis(trial.parameters[key]) for key in keys), trial.accuracy),
            readout=_readout(trial, names),
            share=None if trial.accuracy is None else to_share(trial.accuracy),
        )
        for trial in trials
    ]
    alt = f"{counted(len(lines), 'trial')} as lines over {listed([axis.name for axis in axes])}"
    return parallel_coordinates(axes, lines, alt=alt)


def _on_axis(value: Any) -> Value:
    return value if is_number(value) else format_value(value)


def _readout(trial: Trial, names: Mapping[str, str]) -> str:
    result = "no result" if trial.accuracy is None else f"validation accuracy {percent(trial.accuracy)}"
    state = "" if trial.state == "finished" else f", {trial.state}"
    return f"trial {trial.number}: {_listed_values(trial.parameters, names)}: {result}{state}"

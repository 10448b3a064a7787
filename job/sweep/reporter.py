"""Terminal output of a sweep: a line for each trial, and the ranking at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.markup import escape

from components.artifacts.evaluation import RUBBER_STAMPED
from components.base.formatting import counted
from components.base.text import printable
from job.reporters.terminal import print_field, print_line, print_parts, print_path, print_text
from job.store.root import address
from job.sweep.records import Trial
from job.sweep.state import Sweep, SweepFolder

if TYPE_CHECKING:
    from rich.console import Console

STYLE = {"finished": "green", "paused": "cyan", "stopped": "yellow", "failed": "red", "running": "", "waiting": ""}
MAX_ROWS = 15
"""Maximum number of settings in the table."""


class SweepReporter:
    """Prints the progress of a sweep."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def begin(self, sweep: Sweep, folder: SweepFolder) -> None:
        """Called before the first trial."""
        ended = sum(trial.is_settled for trial in sweep.trials)
        parts = [
            f"[bold]{folder.id}[/]",
            counted(sweep.head.trial_count, "trial"),
            f"root {escape(address(folder.root))}",
        ]
        print_parts(self.console, "sweep ", [*parts, *([f"{ended} of them ended before"] if ended else [])])

    def end_trial(self, trial: Trial, sweep: Sweep) -> None:
        """Called when a trial paused or ended."""
        count = sweep.head.trial_count
        names = short_names(trial.parameters)
        values = [f"{escape(names[key])} {escape(format_value(value))}" for key, value in trial.parameters.items()]
        state = f"[{STYLE[trial.state]}]{trial.state:<8}[/]"
        epochs = f"{trial.epochs_done:>3} epoch{'s' if trial.epochs_done != 1 else ' '}"
        head = f"trial {trial.number:>{len(str(count - 1))}} of {count}  {state} {_accuracy(trial.accuracy)} {epochs}  "
        print_parts(self.console, head, values)
        if trial.failure is not None:
            print_text(self.console, "  ", escape(trial.failure))

    def begin_winner(self, trial: Trial) -> None:
        """Called before the best trial is evaluated."""
        print_text(self.console, "", f"evaluating trial {trial.number}, the best one by validation, on the test split")

    def warning(self, text: str) -> None:
        """Called with one sentence that the user should not miss."""
        print_text(self.console, "[bold yellow]warning:[/] ", escape(text))

    def end(self, sweep: Sweep, folder: SweepFolder) -> None:
        """Called after the last trial of this process."""
        self.console.print()
        print_ranking(self.console, sweep)
        self.console.print()
        if sweep.winner is None:
            left = sum(not trial.is_settled and trial.state != "paused" for trial in sweep.trials)
            left += sweep.head.trial_count - len(sweep.trials)
            if left:
                text = f"{counted(left, 'trial')}, left to other processes; the last one evaluates the winner"
                print_field(self.console, "not ended", text)
            else:
                print_field(self.console, "winner", "being evaluated by another process")
        else:
            metrics, blessed = sweep.winner.metrics, sweep.winner.blessed
            print_field(self.console, "winner", f"trial {sweep.winner.trial}, run {sweep.winner.run_id}")
            if metrics:
                interval = metrics["accuracy_interval"]
                parts = [f"[bold]{metrics['accuracy']:.4f}[/]"]
                parts.append(f"(95 % interval {interval['low']:.4f} to {interval['high']:.4f})")
                print_parts(self.console, "test accuracy ", parts)
            if blessed is not None:
                verdict = "[bold green]BLESSED[/]" if blessed else "[bold yellow]NOT BLESSED[/]"
                stamped = f", {RUBBER_STAMPED}" if sweep.winner.rubber_stamped else ""
                print_field(self.console, "verdict", f"{verdict}{stamped}")
            if sweep.winner.report is not None:
                print_path(self.console, "report", address(folder.root / sweep.winner.report))
        if folder.page.exists():
            print_path(self.console, "sweep page", address(folder.page))
        seconds = sum(trial.cpu_seconds for trial in sweep.trials)
        print_field(self.console, "trials took", f"{seconds:.0f} CPU-s")


def print_ranking(console: Console, sweep: Sweep) -> None:
    """Print the settings, the best first, with the mean and the spread over their seeds."""
    ranking = sweep.ranking()
    if not ranking:
        return
    names = short_names(ranking[0].parameters)
    cells = [[format_value(value) for value in setting.parameters.values()] for setting in ranking[:MAX_ROWS]]
    columns = [*zip(*cells, strict=True)] if names else []
    widths = [max(len(name), *map(len, column)) for name, column in zip(names.values(), columns, strict=True)]
    seeds = max(len(setting.trials) for setting in ranking)
    header = f"{'rank':>4}  {'validation':<{10 if seeds == 1 else 15}}  epochs  {'trials':<9}"
    plain_width = len(header)
    header += "".join(f"  {escape(name):>{width}}" for name, width in zip(names.values(), widths, strict=True))
    fits = not console.is_terminal or cell_len(header) <= console.width
    print_line(console, f"[dim]{header if fits else header[:plain_width]}[/]")
    for place, (setting, values) in enumerate(zip(ranking, cells, strict=False), start=1):
        spread = "" if setting.spread is None else f" ± {setting.spread:.4f}"
        numbers = ",".join(str(trial.number) for trial in setting.trials)
        failed = "  [red]failed[/]" if setting.has_failed else ""
        shown = f"{_accuracy(setting.accuracy)}{spread}"
        row = f"{place:>4}  {shown:<{10 if seeds == 1 else 15}}  {setting.epochs_done:>6}  {numbers:<9.9}"
        if fits:
            row += "".join(f"  {escape(value):>{width}}" for value, width in zip(values, widths, strict=True))
            print_line(console, row + failed)
        else:
            named = [f"{escape(name)} {escape(value)}" for name, value in zip(names.values(), values, strict=True)]
            print_parts(console, row + "  ", [*named, *filter(None, [failed.strip()])])
    if len(ranking) > MAX_ROWS:
        print_line(console, f"[dim]and {len(ranking) - MAX_ROWS} more[/]")


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Return the shortest end of each key that identifies it.

    >>> short_names(["trainer.learning_rate.peak", "trainer.epochs", "seed", "trainer.seed"])
    {'trainer.learning_rate.peak': 'peak', 'trainer.epochs': 'epochs', 'seed': 'seed', 'trainer.seed': 'trainer.seed'}
    """
    keys = list(keys)
    names = {}
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        taken = [f".{other}" for other in keys if other != key]
        names[key] = next((end for end in ends if not any(other.endswith(f".{end}") for other in taken)), key)
    return names


def format_value(value: Any) -> str:
    """Format the value of a parameter, a number with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(value if isinstance(value, str) else json.dumps(value), 40)


def sweep_json(sweep: Sweep, folder: SweepFolder) -> Mapping[str, Any]:
    """Return the state of a sweep as JSON values."""
    return {
        "id": folder.id,
        "directory": address(folder.directory),
        "finished": sweep.is_finished,
        "trials": [trial.model_dump(mode="json") for trial in sweep.trials],
        "ranking": [
            {
                "rank": place,
                "parameters": setting.parameters,
                "accuracy": setting.accuracy,
                "spread": setting.spread,
                "loss": setting.loss,
                "epochs": setting.epochs_done,
                "trials": [trial.number for trial in setting.trials],
            }
            for place, setting in enumerate(sweep.ranking(), start=1)
        ],
        "winner": None if sweep.winner is None else sweep.winner.model_dump(mode="json"),
    }


def _accuracy(accuracy: float | None) -> str:
    return "  -   " if accuracy is None else f"{accuracy:.4f}"

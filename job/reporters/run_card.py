"""What only the job knows, put into the model card of a run: how to make it again.

The card itself is the work of whoever fills the visualizer's slot. If it marks no place for the run, it stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.base.markdown import Markdown, code, fenced, table, text
from components.visualizer.report import CARD_RUN_PLACE
from job.reporters.run_facts import Code, Grid, Sentence, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job.store.records import RunRecord


def add_run_to_card(card: str, record: RunRecord, *, command: str) -> str:
    """Return a card with the facts of the run at their place.

    Args:
        card: Markdown, with `components.visualizer.report.CARD_RUN_PLACE` in it.
        record: the run, ended.
        command: what began it; empty if that was no command.
    """
    return card.replace(CARD_RUN_PLACE, "\n\n".join(_blocks(record, command)), 1)


def _blocks(record: RunRecord, command: str) -> Iterator[str]:
    facts = gather(record, command)
    yield "### The run"
    yield _sentence(facts.told)
    yield fenced(facts.command, "sh") if facts.command else "It was begun from Python, with the configuration below."
    yield from map(_sentence, facts.remarks)
    yield "The configuration with all its defaults:"
    yield fenced(facts.settings, "yaml")
    for grid in (facts.steps, facts.environment):
        yield f"{text(grid.caption)}:"
        yield _grid(grid)


def _sentence(pieces: Sentence) -> str:
    return "".join(map(_piece, pieces))


def _piece(piece: str) -> Markdown:
    return code(piece) if isinstance(piece, Code) else text(piece)


def _grid(grid: Grid) -> Markdown:
    return table(grid.columns, (tuple(map(_piece, row)) for row in grid.rows))

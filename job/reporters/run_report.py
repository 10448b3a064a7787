"""What only the job knows, put into the report of a run: how to reproduce it, and what its steps took.

The page itself is the work of whoever fills the visualizer's slot; it is taken as it is, whatever its look. If it
marks no place for the run, it stays as it is.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from components.base.timing import Elapsed
from components.visualizer.report import RUN_LINKS_PLACE, RUN_PLACE
from job.reporters.run_facts import Code, Sentence, gather
from job.reporters.steps import REST, is_long
from job.store.records import remaining_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from job.store.records import Duration, RunRecord

LINKS = '<li><a href="#reproduce">Reproduce</a></li>\n<li><a href="#cost">Time and cost</a></li>'


def add_run(page: str, record: RunRecord, *, command: str) -> str:
    """Return a page with the sections on the run at their place.

    Args:
        page: HTML, with `components.visualizer.report.RUN_PLACE` in it.
        record: the run, ended.
        command: what began it; empty if that was no command.
    """
    sections = "\n".join([*_reproduce(record, command), *_cost(record)])
    return page.replace(RUN_LINKS_PLACE, LINKS, 1).replace(RUN_PLACE, sections, 1)


def _reproduce(record: RunRecord, command: str) -> Iterator[str]:
    facts = gather(record, command)
    yield '<section id="reproduce">'
    yield "<h2>How to reproduce it</h2>"
    yield _paragraph(facts.told)
    if facts.command:
        yield f"<pre><code>{_text(facts.command)}</code></pre>"
    else:
        yield "<p>It was begun from Python, with this configuration:</p>"
    yield from map(_paragraph, facts.remarks)
    yield "<details><summary>The configuration with all its defaults</summary>"
    yield f"<pre><code>{_text(facts.settings)}</code></pre></details>"
    for summary, grid in (
        ("Fingerprints and digests of the steps", facts.steps),
        ("Versions and machine", facts.environment),
    ):
        yield f"<details><summary>{summary}</summary>"
        yield from _table(grid.caption, grid.columns, (tuple(map(_piece, row)) for row in grid.rows))
        yield "</details>"
    yield "</section>"


def _paragraph(pieces: Sentence) -> str:
    return f"<p>{''.join(map(_piece, pieces))}</p>"


def _piece(piece: str) -> str:
    return f"<code>{_text(piece)}</code>" if isinstance(piece, Code) else _text(piece)


def _cost(record: RunRecord) -> Iterator[str]:
    training, cpu = record.training_cpu_seconds(), record.cpu_seconds or 0.0
    reused = sum(step.status == "reused" for step in record.steps)
    yield '<section id="cost">'
    yield "<h2>Time and cost</h2>"
    yield (
        f"<p>The run took {record.seconds:.1f} seconds on the clock and {cpu:.1f} on the processors"
        + ("" if training is None else f", of which {training:.1f} went into training")
        + "."
        + (
            f" {reused} of its {len(record.steps)} steps were reused: what they took is in the report of the run that "
            "made them."
            if reused
            else ""
        )
        + "</p>"
    )
    rest = remaining_time(Elapsed(record.seconds, cpu), record.timed_records())
    most = max([*(step.cpu_seconds for step in record.steps), rest.cpu_seconds, 0.001])
    rows: list[tuple[str, ...]] = []
    for step in record.steps:
        rows.append(
            (f"<b>{_text(step.component)}</b> <small>{step.status}</small>", *_clocks(step), _share(step, most))
        )
        rows += [
            (f"&emsp;{_text(part.name)}", *_clocks(part), _share(part, most)) for part in step.parts if is_long(part)
        ]
    if (broken := record.unfinished_step()) is not None and record.failure is not None:
        rows.append((f"<b>{_text(broken)}</b> <small>not done</small>", *_clocks(record.failure), ""))
    rows.append((f"<b>{REST}</b>", *_clocks(rest), _share(rest, most)))
    yield from _table(
        "What each step took; below it its parts of a tenth of a second or more",
        ("Step", "Seconds", "CPU-seconds", ""),
        rows,
    )
    observed = [
        (_text(name.replace("_", " ")), step.component, _amount(value))
        for step in record.steps
        for name, value in step.observations.items()
    ]
    if observed:
        yield from _table("What steps measured of the machine", ("What", "Step", "Measured"), observed)
    yield "</section>"


def _amount(value: float) -> str:
    """Return a number to four digits, or to the unit: `0.8271`, `16,832`."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _clocks(took: Duration) -> tuple[str, str]:
    return f"{took.seconds:.2f}", f"{took.cpu_seconds:.2f}"


def _share(took: Duration, most: float) -> str:
    return f'<span class="share" style="--w:{took.cpu_seconds / most:.3f}"></span>'


def _table(caption: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table; `rows` are HTML."""
    yield f'<div class="scroll"><table><caption>{_text(caption)}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{_text(column)}</th>' if column else "<td></td>" for column in columns)
    yield "</tr></thead><tbody>"
    for name, *cells in rows:
        yield f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
    yield "</tbody></table></div>"


def _text(value: object) -> str:
    return escape(str(value))

"""The page of all runs: `<root>/index.html`, one file without requests, written again at the end of each run.

Only the data are replaced, unless the templates have changed: rendering takes a tenth of the time of a run that reuses
everything.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import components.html
from components.base.errors import ConfigError, JobError, ResourceError
from components.base.formatting import counted
from components.base.text import printable
from components.io.atomic import write_atomically
from components.runtime.locks import acquire
from job.reporters.runs import MAX_DIFFERENCES
from job.store.root import root_at
from job.store.run_names import Tags
from job.store.run_rows import RunRow, make_rows, producers_by_run
from job.store.runs import Runs
from job.store.summaries import Patch, Summaries

INDEX = "index.html"
FOLDER = Path(__file__).parent
SHARED = Path(components.html.__file__).parent
TEMPLATES = (
    *(SHARED / name for name in ("layout.html.j2", "style.css.j2", "page.js")),
    *(FOLDER / name for name in ("page.html.j2", "index.css", "index.js")),
)
MAX_WAIT_SECONDS = 10
TIME = "%Y-%m-%d %H:%M"
START = "<!-- runs, with templates {} -->"
END = "<!-- end of runs -->"
MAX_RUNS_WITHOUT_SCRIPT = 100
"""Maximum number of runs listed in a browser without JavaScript."""


def write_index(root: Path) -> Path:
    """Write the page of all runs of a root, and return its path.

    Raises:
        ConfigError: if there is a file with its name that the job did not write.
        ResourceError: if another process writes it for too long.
        JobError, OSError: if it cannot be written.
    """
    path, runs = root / INDEX, Runs(root)
    root_at(root).fetch(path)
    summaries = Summaries(runs)
    deadline = time.monotonic() + MAX_WAIT_SECONDS

    def check() -> None:
        if time.monotonic() > deadline:
            raise ResourceError(f"another process has written {path} for more than {MAX_WAIT_SECONDS} seconds")

    with acquire(summaries.lock, check=check):  # so that the last page that is written has all runs
        before, after = _surroundings(path)
        found, tags = summaries.update(), Tags(root).read()
        rows = make_rows(found, tags=tags, produced_by=producers_by_run(found))
        write_atomically(path, f"{before}\n{_content(rows)}\n{after}", what="the page of all runs")
        root_at(root).wrote(path)
    return path


def refresh_index(root: Path) -> None:
    """Write the page again if it exists, after a change of tags or runs; the next run reports errors of writing."""
    with suppress(OSError, JobError):
        root_at(root).fetch(root / INDEX)
        if (root / INDEX).is_file():
            write_index(root)
            root_at(root).flush()


def _surroundings(path: Path) -> tuple[str, str]:
    """Return the parts of the page before and after its data; from the existing page if its templates are the same."""
    start = START.format(hashlib.sha256(b"".join(template.read_bytes() for template in TEMPLATES)).hexdigest())
    try:
        page = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        page = ""
    except ValueError:
        page = "?"
    if page and START.partition("{")[0] not in page:
        remedy = "move it away, so that the job can list its runs there"
        raise ConfigError(f"{path} is not a page of the job", expected="no other file of this name", remedy=remedy)
    before, start_found, rest = page.partition(start)
    _, end_found, after = rest.rpartition(END)
    if not (start_found and end_found):
        from components.html.templates import render_html

        before, _, after = str(render_html(FOLDER, "page.html.j2", start=start, end=END)).partition(start + END)
    return before + start, END + after


def _content(rows: Sequence[RunRow]) -> str:
    """Return the data of the page, and a list for browsers without JavaScript."""
    newest = [*reversed(rows[-MAX_RUNS_WITHOUT_SCRIPT:])]
    items = "\n".join(map(_item, newest))
    count = f"the newest {len(newest)} of {len(rows):,} runs" if len(newest) < len(rows) else counted(len(rows), "run")
    data = {"updated": f"{datetime.now(UTC):{TIME}}", "runs": [*_entries(rows)]}
    text = json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")
    return (
        f"<noscript><p>A table needs JavaScript. These are {count}:</p>\n<ul>\n{items}\n</ul></noscript>\n"
        f'<script type="application/json" id="runs">{text}</script>'
    )


def _item(row: RunRow) -> str:
    summary = row.summary
    name = escape(summary.run_id if summary.name is None else f"{summary.run_id} {printable(summary.name)}")
    linked = name if row.report is None else f'<a href="{row.report}">{name}</a>'
    accuracy = "" if summary.test_accuracy is None else f", test accuracy {summary.test_accuracy:.4f}"
    return f"<li>{linked}: {summary.verdict}{accuracy}</li>"


def _entries(rows: Sequence[RunRow]) -> Iterator[dict[str, Any]]:
    before: dict[str, Any] = {}
    for row in rows:
        after = _values(row)
        patch, before = Patch.between(before, after), after
        yield {key: value for key, value in _entry(row, patch).items() if value not in (None, (), [], {}, False)}


def _entry(row: RunRow, patch: Patch) -> dict[str, Any]:
    summary = row.summary
    changes = [*row.changes()]
    more = len(changes) - MAX_DIFFERENCES
    return {
        "id": summary.run_id,
        "name": _safe(summary.name),
        "tags": row.tags,
        "note": _safe(summary.note),
        "started": f"{summary.started:{TIME}}",
        "data_set": _safe(summary.data_set),
        "curve": [[round(accuracy * 10_000) for accuracy in pair] for pair in summary.curve],
        "epochs": summary.epochs,
        "validation": summary.validation_accuracy and round(summary.validation_accuracy, 6),
        "test": summary.test_accuracy and round(summary.test_accuracy, 6),
        "interval": summary.test_accuracy_interval and [round(limit, 6) for limit in summary.test_accuracy_interval],
        "parameters": summary.parameters,
        "cpu": summary.cpu_seconds,
        "verdict": summary.verdict,
        "failure": _safe(summary.failure),
        "sweep": summary.sweep and [summary.sweep.id, summary.sweep.trial],
        "report": summary.has_report,
        "steps": len(summary.steps),
        "reused": _reused(row),
        "changes": [*map(printable, changes[:MAX_DIFFERENCES]), *([f"{more} more"] if more > 0 else [])],
        "set": _safe(patch.values),
        "unset": _safe(patch.removed),
    }


def _values(row: RunRow) -> dict[str, Any]:
    """Return the values that affect the results: the configuration, and the versions of packages."""
    facts = row.summary.facts
    return {**facts.config, **{f"package {name}": version for name, version in facts.packages.items()}}


def _reused(row: RunRow) -> dict[str, list[str]]:
    """Return the reused steps by the run that produced them; an empty string stands for a deleted run."""
    reused: dict[str, list[str]] = {}
    for component, run_id in row.produced_by.items():
        reused.setdefault(run_id or "", []).append(printable(component))
    return reused


def _safe(value: Any) -> Any:
    """Return a JSON value whose texts can be displayed."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {printable(key): _safe(below) for key, below in value.items()}
        case list() | tuple():
            return [*map(_safe, value)]
    return value

"""The run's own section in the report and in the model card: how to reproduce the run, and what its steps cost.

The Visualizer writes both documents and leaves placeholders in them. A document without a placeholder stays as it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from components.artifacts.figures import CARD_RUN_PLACEHOLDER, REPORT_LINKS_PLACEHOLDER, REPORT_RUN_PLACEHOLDER
from components.base import markdown
from components.base.text import escape_document, printable
from components.base.timing import Elapsed
from job.config.core_schema import dump_yaml
from job.reporters.tables import OVERHEAD, is_long
from job.store.records import Duration, RunRecord, remaining_time
from job.store.run_names import MAX_NOTE_LENGTH

REPORT_LINKS = '<li><a href="#reproduce">Reproduce</a></li>\n<li><a href="#cost">Time and cost</a></li>'
SHORTEST_BAR_SECONDS = 0.001
"""Keeps the bars defined in a run that took no CPU time at all."""


class Code(str):
    """Literal text, such as a digest."""

    __slots__ = ()


Paragraph = tuple[str | Code, ...]


@dataclass(frozen=True)
class CodeBlock:
    """Lines of code. Those with a title are folded in the report."""

    text: str
    language: str
    title: str = ""


@dataclass(frozen=True)
class FactTable:
    """A table, folded under its title in the report."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Code, ...], ...]


Fact = Paragraph | CodeBlock | FactTable


def add_run_to_report(page: str, record: RunRecord, *, command: str) -> str:
    """Return the report with the sections "How to reproduce this run" and "Time and cost".

    `command` is the command line that started the run; it is empty if Python code started it.
    """
    facts = "\n".join(map(_html, reproduction_facts(record, command)))
    reproduce = f'<section id="reproduce">\n<h2>How to reproduce this run</h2>\n{facts}\n</section>'
    cost = "\n".join(['<section id="cost">', "<h2>Time and cost</h2>", *_cost(record), "</section>"])
    page = page.replace(REPORT_LINKS_PLACEHOLDER, REPORT_LINKS, 1)
    return escape_document(page.replace(REPORT_RUN_PLACEHOLDER, f"{reproduce}\n{cost}", 1))


def add_run_to_card(card: str, record: RunRecord, *, command: str) -> str:
    """Return the model card with the section "The run"; `command` as for `add_run_to_report`."""
    facts = map(_markdown, reproduction_facts(record, command))
    return escape_document(card.replace(CARD_RUN_PLACEHOLDER, "\n\n".join(["### The run", *facts]), 1))


def reproduction_facts(record: RunRecord, command: str) -> Iterator[Fact]:
    """Yield what is needed to reproduce a run, in reading order."""
    environment = record.environment
    revision = environment.get("revision")
    yield (
        "This is run ",
        Code(record.run_id),
        *((", named ", Code(record.name), ",") if record.name else (",",)),
        f" started on {record.started:%Y-%m-%d %H:%M} UTC with mnist-job {environment.get('version')}",
        *((", revision ", Code(revision)) if revision else ()),
        ". The same code, configuration, data and libraries produce the digests below.",
    )
    if record.only is not None:
        yield (f"Only the {record.only} was run, on the artifacts of run ", Code(str(record.from_run)), ".")
    if record.cluster is not None:
        yield (f"{len(record.cluster.workers)} workers trained together: {', '.join(record.cluster.workers)}.",)
    if record.note:
        yield ("Note: ", printable(record.note, limit=MAX_NOTE_LENGTH))
    if command:
        yield CodeBlock(command, "sh")
    else:
        yield ("The run was started from Python, with the configuration below.",)
    yield from _outcome(record)
    yield CodeBlock(dump_yaml(record.config).rstrip(), "yaml", "The configuration with all its defaults")
    yield FactTable(
        "Fingerprints and digests of the steps",
        "The fingerprint covers everything that decides a result, the digest the result itself (SHA-256)",
        ("Step", "Why it ran or was reused", "Fingerprint", "Digest"),
        tuple((step.component, step.reason, Code(step.fingerprint), Code(step.digest)) for step in record.steps),
    )
    yield FactTable("Versions and machine", "Environment", ("Name", "Value"), tuple(_environment(environment)))


def _outcome(record: RunRecord) -> Iterator[Paragraph]:
    if (failure := record.failure) is not None:
        verb = "was terminated" if record.outcome == "terminated" else "failed"
        where = "" if failure.component is None else f" in the {failure.component}"
        yield (f"The run {verb}{where}, with exit code {record.exit_code}: {failure.headline}.",)
    for step in record.steps:
        for name, found in step.references.items():
            has_run = found.run_id and found.run_id != found.requested
            yield (
                f"The {name} of the {step.component} is ",
                Code(found.requested),
                *((" from run ", Code(found.run_id)) if has_run else ()),
                f": the {found.component}’s artifact ",
                Code(found.digest),
                ".",
            )
    for step in record.steps:
        if step.published is not None:
            yield (f"The {step.component} published ", Code(step.published), ".")
    if record.withheld is not None:
        yield (f"The model was not pushed: {record.withheld}.",)


def _environment(environment: dict[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if isinstance(value, dict):
            yield from ((str(key), str(version)) for key, version in value.items())
        elif value is not None and not isinstance(value, list):
            yield name.replace("_", " "), str(value)


def _markdown(fact: Fact) -> str:
    match fact:
        case CodeBlock(text, language, title):
            block = markdown.fenced(text, language)
            return f"{title}:\n\n{block}" if title else block
        case FactTable(caption=caption, columns=columns, rows=rows):
            table = markdown.table(columns, ([_markdown_piece(cell) for cell in row] for row in rows))
            return f"{markdown.escape(caption)}:\n\n{table}"
        case _:
            return "".join(map(_markdown_piece, fact))


def _markdown_piece(piece: str) -> markdown.Markdown:
    return markdown.code(piece) if isinstance(piece, Code) else markdown.escape(piece)


def _html(fact: Fact) -> str:
    match fact:
        case CodeBlock(text, _, title):
            block = f"<pre><code>{escape(text)}</code></pre>"
            return _folded(title, block) if title else block
        case FactTable(title, caption, columns, rows):
            return _folded(title, _html_table(caption, columns, ([_html_piece(cell) for cell in row] for row in rows)))
        case _:
            return f"<p>{''.join(map(_html_piece, fact))}</p>"


def _html_piece(piece: str) -> str:
    return f"<code>{escape(piece)}</code>" if isinstance(piece, Code) else escape(piece)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>\n{content}</details>"


def _html_table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table whose cells are HTML; the first cell of a row is its header."""
    header = "".join(f'<th scope="col">{escape(column)}</th>' if column else "<td></td>" for column in columns)
    body = "\n".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for name, *cells in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{header}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _cost(record: RunRecord) -> Iterator[str]:
    training, cpu_seconds = record.training_cpu_seconds(), record.cpu_seconds or 0.0
    reused = sum(step.status == "reused" for step in record.steps)
    share = "" if training is None else f", {training:.1f} of them for training"
    cost = f"The run took {record.seconds:.1f} seconds of wall time and {cpu_seconds:.1f} CPU-seconds{share}."
    if reused:
        steps = f"{reused} of its {len(record.steps)} steps"
        cost += f" {steps} were reused: see the run that produced them for their cost."
    yield f"<p>{cost}</p>"
    overhead = remaining_time(Elapsed(record.seconds, cpu_seconds), record.timed_records())
    longest = max([*(step.cpu_seconds for step in record.steps), overhead.cpu_seconds, SHORTEST_BAR_SECONDS])

    def row(name: str, took: Duration) -> tuple[str, str, str, str]:
        bar = f'<span class="cost-bar" style="--w:{took.cpu_seconds / longest:.3f}"></span>'
        return name, f"{took.seconds:.2f}", f"{took.cpu_seconds:.2f}", bar

    rows = []
    for step in record.steps:
        rows.append(row(f"<b>{escape(step.component)}</b> <small>{step.status}</small>", step))
        rows += [row(f"&emsp;{escape(part.name)}", part) for part in step.parts if is_long(part)]
    if (unfinished := record.unfinished_step()) is not None and record.failure is not None:
        rows.append((*row(f"<b>{escape(unfinished)}</b> <small>not done</small>", record.failure)[:3], ""))
    rows.append(row(f"<b>{OVERHEAD}</b>", overhead))
    caption = "Time of each step and of its parts that took at least a tenth of a second"
    yield _html_table(caption, ("Step", "Seconds", "CPU-seconds", ""), rows)
    observed = [
        (escape(name.replace("_", " ")), step.component, f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
        for step in record.steps
        for name, value in step.observations.items()
    ]
    if observed:
        yield _html_table("Measurements of this machine", ("Quantity", "Step", "Value"), observed)

"""What only the job knows of a run and who wants the same must: the same facts for the report and the model card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job.store.records import RunRecord

APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"


class Code(str):
    """Words of a machine, such as a digest, to be shown letter by letter."""

    __slots__ = ()


Sentence = tuple[str | Code, ...]
"""A sentence in pieces, one after the other."""


@dataclass(frozen=True)
class Grid:
    """A table."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Code, ...], ...]


@dataclass(frozen=True)
class RunFacts:
    """How to make a run again."""

    told: Sentence
    command: str
    """What began it; empty if that was no command."""
    remarks: tuple[Sentence, ...]
    """A sentence on how it ended, if it did not finish; on each reference that was found, such as a baseline; and on
    where the model was pushed to."""
    settings: str
    """The configuration with all its defaults, as YAML."""
    steps: Grid
    environment: Grid


def gather(record: RunRecord, command: str) -> RunFacts:
    """Return the facts of a run.

    Args:
        record: the run, ended.
        command: what began it; empty if that was no command.
    """
    return RunFacts(
        told=_told(record),
        command=command,
        remarks=(*_ended(record), *_references(record), *_pushed(record)),
        settings=yaml.safe_dump(
            record.config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        ).rstrip(),
        steps=Grid(
            "The fingerprint names all that decides a result, the digest what came out (SHA-256)",
            ("Step", "Why it ran, or was reused", "Fingerprint", "Digest"),
            tuple((step.component, step.reason, Code(step.fingerprint), Code(step.digest)) for step in record.steps),
        ),
        environment=Grid("What it ran on", ("What", "Found"), tuple(_environment(record.environment))),
    )


def _told(record: RunRecord) -> Sentence:
    environment = record.environment
    found = environment.get("revision")
    revision: Sentence = (", revision ", Code(found)) if found else ()
    return (
        "This is run ",
        Code(record.run_id),
        f" of {record.started:%Y-%m-%d %H:%M} UTC, made by mnist-job {environment.get('version')}",
        *revision,
        ". The same code, configuration, data and libraries give the same digests below.",
    )


def _ended(record: RunRecord) -> Iterator[Sentence]:
    if (failure := record.failure) is not None:
        where = "" if failure.component is None else f" in its {failure.component}"
        how = "was asked to end, and did" if record.outcome == "terminated" else "failed"
        yield (f"The run {how}{where}, with exit code {record.exit_code}: {failure.headline}.",)


def _references(record: RunRecord) -> Iterator[Sentence]:
    for step in record.steps:
        for name, found in step.references.items():
            run: Sentence = (
                (", of run ", Code(found.run_id)) if found.run_id and found.run_id != found.requested else ()
            )
            yield (
                f"The {name} of the {step.component} is ",
                Code(found.requested),
                *run,
                f": the {found.component}{APOSTROPHE}s artifact ",
                Code(found.digest),
                ".",
            )


def _pushed(record: RunRecord) -> Iterator[Sentence]:
    for step in record.steps:
        if step.published is not None:
            yield (f"What the {step.component} delivered is ", Code(step.published), ".")
    if record.withheld is not None:
        yield (f"The model was not pushed: {record.withheld}.",)


def _environment(environment: dict[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if isinstance(value, dict):
            yield from ((str(key), str(version)) for key, version in value.items())
        elif value is not None and not isinstance(value, list):
            yield name.replace("_", " "), str(value)

"""Filters of a table of runs."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from typing import Any

from components.base.errors import ConfigError
from components.base.text import printable
from job.store.gc import parse_age
from job.store.summary import BLESSED, VERDICTS, RunSummary


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Conditions that a listed run meets; None and empty ones are met by every run."""

    data_set: str | None = None
    """Title of the data, in any case; `*` stands for any text."""
    name: str | None = None
    """The name or a tag of the run, in the same way."""
    outcome: str | None = None
    """A verdict or an outcome, as `parse_outcome` returns it."""
    blessed: bool = False
    """Only runs with a blessed model."""
    since: datetime | None = None
    where: tuple[tuple[str, Any], ...] = ()
    """Keys of the configuration and their values."""
    sweep: str | None = None
    """The id of a sweep, in the same way as the data set."""

    def select(self, summaries: Sequence[RunSummary], tags: Iterable[tuple[str, str]]) -> list[RunSummary]:
        """Return the summaries of the runs that match.

        Raises:
            ConfigError: for a key that the configuration of no run has.
        """
        known = {key for summary in summaries for key in summary.facts.config} if self.where else set()
        for key, _ in self.where:
            if key not in known:
                raise _unknown_key(key, known)
        tagged: dict[str, list[str]] = {}
        for tag, run_id in tags:
            tagged.setdefault(run_id, []).append(tag)
        data_set, name, sweep = map(_pattern, (self.data_set, self.name, self.sweep))
        return [
            summary
            for summary in summaries
            if data_set([summary.data_set])
            and name([summary.name, *tagged.get(summary.run_id, ())])
            and sweep([None if summary.sweep is None else summary.sweep.id])
            and self.outcome in (None, summary.outcome, summary.verdict)
            and (summary.blessed or not self.blessed)
            and (self.since is None or summary.started >= self.since)
            and all(_is_value(summary.facts.config, key, value) for key, value in self.where)
        ]


def parse_since(text: str) -> datetime:
    """Return the time of an age such as `7d`, or of a date or time in UTC such as `2026-11-29` or `2026-11-29T18:30`.

    >>> parse_since("2026-11-29").isoformat()
    '2026-11-29T00:00:00+00:00'
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - timedelta(seconds=parse_age(text, "--since"))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_outcome(text: str) -> str:
    """Return a verdict of the table, or an outcome of `run.json`, that is written in any case.

    >>> parse_outcome("not blessed"), parse_outcome("Terminated")
    ('NOT BLESSED', 'terminated')
    """
    verdicts = (BLESSED, *VERDICTS.values())
    words = {word.lower(): word for word in (*verdicts, *VERDICTS)}
    if (word := words.get(text.strip().lower())) is None:
        problem, expected = f"--outcome {printable(text)} is not a verdict", f"one of {', '.join(words)}"
        raise ConfigError(problem, expected=expected, remedy="quote words that contain a space")
    return word


def _pattern(text: str | None) -> Callable[[Iterable[str | None]], bool]:
    if text is None:
        return lambda _: True
    matches = re.compile(translate(text), re.IGNORECASE).match
    return lambda values: any(value is not None and matches(value) for value in values)


def _is_value(config: Any, key: str, value: Any) -> bool:
    return key in config and config[key] == value and isinstance(config[key], bool) == isinstance(value, bool)


def _unknown_key(key: str, known: Collection[str]) -> ConfigError:
    near = difflib.get_close_matches(key, known, n=1)
    return ConfigError(
        f"no run has the key {printable(key)} in its configuration",
        expected="a key with a value, such as trainer.epochs=3",
        remedy=f"did you mean {near[0]}?" if near else "`python -m job schema` lists the keys",
    )

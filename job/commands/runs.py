"""Command `runs`: a table of all runs."""

from components.base.errors import ConfigError
from components.base.text import printable
from job.config.yaml_loader import parse_yaml
from job.options import RunsOptions
from job.reporters.runs import print_runs
from job.reporters.terminal import make_console, print_json
from job.store.run_filter import RunFilter, parse_outcome, parse_since
from job.store.run_names import Tags
from job.store.run_rows import make_rows, producers_by_run
from job.store.runs import Runs
from job.store.summaries import Summaries

MAX_RUNS_ON_TERMINAL = 50
"""Runs that are listed on a terminal without --last; elsewhere all are."""


def list_runs(options: RunsOptions) -> None:
    """Print the runs that match the filters, the newest last.

    Raises:
        ConfigError: if the root has no runs, or a filter is invalid.
    """
    chosen = RunFilter(
        data_set=options.data_set,
        name=options.name,
        outcome=None if options.outcome is None else parse_outcome(options.outcome),
        blessed=options.blessed,
        since=None if options.since is None else parse_since(options.since),
        where=tuple(map(_parse_condition, options.where)),
        sweep=options.sweep,
    )
    runs = Runs(options.root)
    summaries = Summaries(runs).read()
    if not summaries:
        raise runs.no_runs()
    tags = Tags(options.root).read()
    selected = chosen.select(summaries, tags.items())
    console = make_console()
    default = MAX_RUNS_ON_TERMINAL if console.is_terminal and not options.as_json else None
    rows = make_rows(selected, tags=tags, produced_by=producers_by_run(summaries), last=options.last or default)
    if options.as_json:
        print_json({"runs": [row.to_json() for row in rows]})
    else:
        print_runs(console, rows, matching=len(selected), total=len(summaries))


def _parse_condition(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    where = f"--where {printable(text)}"
    if not (equals and key.strip()):
        raise ConfigError.at(where, "it is not a key with a value", expected="key=value, such as trainer.epochs=3")
    return key.strip(), parse_yaml(value, lambda _: where)[0]

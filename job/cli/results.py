"""Commands that read what runs have produced."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from job.cli.app import AsJson, Root, command
from job.options import DEFAULT_ROOT


@command
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|ARTIFACT]",
            help="Id, tag, name or folder of a run, by default the newest; `latest`, the last that has results; "
            "`latest-blessed`; an artifact's path, digest or fingerprint (at least 4 characters); or the path of a "
            "pushed version.",
        ),
    ] = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Show a run or an artifact, and its lineage back to the source.

    In JSON, `lineage` belongs to the artifact, or to the last of a run's five main steps. A run also has `lineages`,
    one for each artifact that it did not use as an input. An artifact has `runs`, the ids of the runs that use it.
    """
    from job.commands.show import show

    show(name, root, as_json=as_json)


@command
def tag(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Run id, tag, name or folder; `latest` or `latest-blessed`.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The tag.")] = None,
    delete: Annotated[str | None, typer.Option("--delete", metavar="NAME", help="Delete this tag.")] = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Give a run a tag, which every command takes as its name; without arguments, list the tags.

    A tag that another run has moves to this one. `gc` keeps runs that have tags.

    In JSON, `tags` has the id of the run by tag. A change prints `tag`, its `run_id`, and `before`, the one before.
    """
    from job.commands.tag import edit_tags

    edit_tags(run, name, root, delete=delete, as_json=as_json)

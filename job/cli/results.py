"""Commands that read runs and their artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from job.cli.app import AsJson, Root, command, path
from job.options import DEFAULT_ROOT, RunsOptions


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
    from job.store.opened import open_root

    show(name, open_root(root), as_json=as_json)


@command
def runs(
    root: Root = Path(DEFAULT_ROOT),
    data_set: Annotated[
        str | None, typer.Option(metavar="TITLE", help="Only runs on this data set; `*` stands for any text.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", "--tag", metavar="NAME", help="Only runs with this name or tag, such as 'wide-*'."),
    ] = None,
    blessed: Annotated[bool, typer.Option("--blessed", help="Only runs with a blessed model.")] = False,
    outcome: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="Only runs with this verdict, such as done, or this outcome in run.json."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Only runs that began in the last 12h or 7d, or since a day such as 2026-11-29."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Only runs with this configuration, such as trainer.epochs=3; can be repeated."
        ),
    ] = None,
    sweep: Annotated[str | None, typer.Option(metavar="ID", help="Only runs of this sweep.")] = None,
    last: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the N newest of these runs.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs, the newest last, with their results and what differs from the run before.

    A run is compared with the listed run before it: keys of the configuration, code and packages.
    """
    from job.commands.runs import list_runs
    from job.store.opened import open_root

    options = RunsOptions(
        root=open_root(root),
        data_set=data_set,
        name=name,
        outcome=outcome,
        blessed=blessed,
        since=since,
        where=where or (),
        sweep=sweep,
        last=last,
        as_json=as_json,
    )
    list_runs(options)


@command
def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN...", help="Two or more runs: ids, names, tags, folders, or `latest`."),
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", parser=path, help="Also write the comparison as an HTML page.")
    ] = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Compare runs: what differs, and whether their models differ on the same test images.

    The first run is compared with each of the others.
    """
    from job.commands.compare import compare
    from job.store.opened import open_root

    compare(names, open_root(root), html=html, as_json=as_json)


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
    """Give a run a tag, which every command accepts as its name; without arguments, list the tags.

    If another run has the tag, it moves to this one. `gc` keeps runs that have tags.

    In JSON, `tags` has the run id by tag. A change prints `tag`, its `run_id`, and `before`, the previous run id.
    """
    from job.commands.tag import edit_tags
    from job.store.opened import open_root

    edit_tags(run, name, open_root(root), delete=delete, as_json=as_json)

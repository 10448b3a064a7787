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
            help="Run id, by default the newest run; `latest`, the last that has results; an artifact's path, digest "
            "or fingerprint (at least 4 characters); or the path of a pushed version.",
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
def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN...", help="Two or more runs: ids, names, tags, folders, or `latest`."),
    ],
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Compare runs: what differs, and whether their models differ on the same test images.

    The first run is compared with each of the others.
    """
    from job.commands.compare import compare

    compare(names, root, as_json=as_json)

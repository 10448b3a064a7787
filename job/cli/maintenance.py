"""Commands that check and clean the root, the machine and the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from job.cli.app import AsJson, Root, command, location
from job.options import DEFAULT_ROOT


@command
def verify(
    directories: Annotated[
        list[Any] | None,
        typer.Argument(
            metavar="[DIR|URL]...",
            parser=location,
            help="Folders of artifacts, such as that of `predict --out`; by default all artifacts of the root.",
        ),
    ] = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Hash sealed artifacts again; exit with 3 if one differs from its manifest."""
    from job.commands.verify import verify
    from job.store.opened import open_root

    raise typer.Exit(verify([str(one) for one in directories or ()], open_root(root), as_json=as_json))


@command
def gc(
    root: Root = Path(DEFAULT_ROOT),
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Keep the N newest runs, `latest`, the newest blessed one of each data set, tagged and published "
            "ones, and their baselines; by default all.",
        ),
    ] = None,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE", help="Minimum age of partial and quarantined artifacts, such as 90s, 30m, 12h or 7d."
        ),
    ] = "7d",
    delete: Annotated[bool, typer.Option("--delete", help="Delete the items after they are listed.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what no kept run uses, and old partial or quarantined artifacts; delete them with --delete."""
    from job.commands.gc import collect_garbage
    from job.store.opened import open_root

    collect_garbage(open_root(root), keep=keep, older_than=older_than, delete=delete, as_json=as_json)


@command
def doctor(
    root: Root = Path(DEFAULT_ROOT),
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Exit with 5 if TensorFlow has no usable GPU.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check versions, devices, limits, and the folders that the job writes to."""
    from job.commands.doctor import doctor

    raise typer.Exit(doctor(root, require_gpu=require_gpu, as_json=as_json))


@command
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from job.config.schema import config_schema
    from job.reporters.terminal import print_json

    print_json(config_schema())

"""The commands on what was pushed: which versions there are, and back to an older one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from components.base.progress import NoProgress
from components.pusher import rollback as rolling_back
from components.pusher.version_store import translate_os_errors
from components.pusher.versions import listing
from job.reporters.tables import make_console
from job.reporters.versions import print_versions, title

if TYPE_CHECKING:
    from pathlib import Path

    from components.base.termination import Termination
    from components.pusher.versions import Listed


def show_versions(destination: Path, *, as_json: bool) -> None:
    """Print the versions below a destination, the newest first.

    Raises:
        ConfigError: if there are none.
        JobError: if they could not be read this time.
    """
    versions = rolling_back.require_versions(destination)
    with translate_os_errors(destination):
        listed = listing(versions)
        if as_json:
            typer.echo(json.dumps({"versions": [as_value(one) for one in listed]}, indent=2))
        else:
            print_versions(make_console(), listed)


def roll_back(destination: Path, to: int | None, *, as_json: bool, termination: Termination) -> None:
    """Serve an older version again, and print what is served now.

    Raises:
        JobError: in one of its kinds (`components.pusher.rollback.roll_back`); nothing was changed then.
    """
    done = rolling_back.roll_back(destination, to, progress=ToldOfWaiting(), termination=termination)
    served = listing(done.versions)[0]
    if as_json:
        typer.echo(json.dumps({"served": as_value(served), "before": done.before.number}, indent=2))
        return
    console = make_console()
    for label, text in (
        ("rolled back", f"from version {done.before.number}, {title(done.before)}"),
        ("served now", f"version {done.version.number}, {title(done.version)}; a copy of version {served.copy_of}"),
        ("where", str(done.version.directory)),
    ):
        console.print(f"{label:<13} {text}", highlight=False, markup=False, soft_wrap=True)


class ToldOfWaiting(NoProgress):
    """Tells on standard error that another process is at work."""

    def message(self, text: str) -> None:
        typer.echo(text, err=True)


def as_value(listed: Listed) -> dict[str, Any]:
    """Return a version as a JSON value."""
    version = listed.version
    return {
        "version": version.number,
        "path": str(version.directory),
        "published": version.published.isoformat(),
        "served": listed.served,
        "copy_of": listed.copy_of,
        "damage": version.damage or None,
        "content_sha256": None if version.unreadable else version.digest,
        "servable": None if version.servable is None else version.servable.model_dump(mode="json"),
    }

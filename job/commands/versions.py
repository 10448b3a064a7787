"""Commands `versions` and `rollback`: list the versions of a pushed model, and serve an older one again."""

import sys
from contextlib import suppress
from typing import Any

from rich.markup import escape

from components import Pusher
from components.artifacts import PublishedVersion
from components.base.errors import ConfigError, IntegrityError, JobError
from components.base.progress import NoProgress
from components.base.text import MESSAGE_LIMIT, printable
from components.object_storage import Location
from job.reporters.terminal import make_console, print_field, print_json
from job.reporters.versions import describe, print_versions
from job.signals import Signals


def show_versions(destination: Location, *, as_json: bool) -> None:
    """Print the versions below a destination, the newest first."""
    versions = Pusher.list_versions(destination)
    if as_json:
        print_json({"versions": [as_value(version) for version in versions]})
    else:
        print_versions(make_console(), versions)


def roll_back(destination: Location, to: int | None, *, as_json: bool, signals: Signals) -> None:
    """Serve an older version again (see `components.pusher.rollback.roll_back`), and print which is served now."""
    signals.shield()
    signals.remedy = "run the same command again: nothing was changed"
    try:
        rollback = Pusher.roll_back(destination, to, progress=StderrProgress(), termination=signals)
    except (ConfigError, IntegrityError) as error:
        with suppress(JobError):  # if there are versions
            Pusher.list_versions(destination)
            error.remedy += f"; `python -m job versions {destination}` lists the versions"
        raise
    before, served = rollback.before, rollback.served
    if as_json:
        print_json({"served": as_value(served), "before": before.number})
        return
    console = make_console()
    for label, text in (
        ("rolled back", f"from version {before.number}, {describe(before)}"),
        ("served now", f"version {served.number}, {describe(served)}; a copy of version {served.copy_of}"),
        ("where", str(served.directory)),
    ):
        print_field(console, label, escape(text))


class StderrProgress(NoProgress):
    """Prints on standard error which other process has the lock."""

    def message(self, text: str) -> None:
        sys.stderr.write(f"{printable(text, limit=MESSAGE_LIMIT)}\n")


def as_value(version: PublishedVersion) -> dict[str, Any]:
    """Return a version as a JSON value."""
    return {
        "version": version.number,
        "path": str(version.directory),
        "published": version.published.isoformat(),
        "served": version.served,
        "copy_of": version.copy_of,
        "damage": version.damage or None,
        "content_sha256": version.content_sha256,
        "servable": None if version.servable is None else version.servable.model_dump(mode="json"),
    }

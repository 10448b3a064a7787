"""The commands on what was pushed: which versions there are, and back to an older one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from components.serving import publishing
from components.serving.versions import first_of_its_content, list_versions
from job.telling.printing import make_console
from job.telling.versions import print_versions, title

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.serving.versions import Version


def show_versions(destination: Path, *, as_json: bool) -> None:
    """Print the versions below a destination, the newest first.

    Raises:
        ConfigError: if there are none.
    """
    versions = publishing.require_versions(destination)
    if as_json:
        typer.echo(json.dumps({"versions": [as_value(version, versions) for version in reversed(versions)]}, indent=2))
    else:
        print_versions(make_console(), versions)


def roll_back(destination: Path, to: int | None, *, as_json: bool) -> None:
    """Serve an older version again, and print what is served now.

    Raises:
        ConfigError: if there is no such destination or version, or nothing to go back to.
        IntegrityError: if the version was changed after it was published.
        StorageError: if there is no space for its copy.
    """
    done = publishing.roll_back(destination, to)
    versions = list_versions(destination)
    original = first_of_its_content(done.version, versions)
    if as_json:
        typer.echo(json.dumps({"served": as_value(done.version, versions), "before": done.before.number}, indent=2))
        return
    console = make_console()
    for label, text in (
        ("rolled back", f"from version {done.before.number}, {title(done.before)}"),
        ("served now", f"version {done.version.number}, {title(done.version)}; a copy of version {original.number}"),
        ("where", str(done.version.directory)),
    ):
        console.print(f"{label:<13} {text}", highlight=False, markup=False, soft_wrap=True)


def as_value(version: Version, versions: Sequence[Version]) -> dict[str, Any]:
    """Return a version as a JSON value.

    Args:
        version: one of `versions`.
        versions: all of its destination, the newest last.
    """
    original = first_of_its_content(version, versions)
    return {
        "version": version.number,
        "path": str(version.directory),
        "published": version.published.isoformat(),
        "served": version.number == versions[-1].number,
        "copy_of": None if original.number == version.number else original.number,
        "content_sha256": version.digest,
        "servable": None if version.servable is None else version.servable.model_dump(mode="json"),
    }

"""The versions of a pushed model, printed for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from components.pusher.versions import Listed, Version

FOREIGN = "not pushed by this job"


def print_versions(console: Console, versions: Sequence[Listed]) -> None:
    """Print a row a version.

    Args:
        console: where to.
        versions: at least one, the newest first.
    """
    rows = [("version", "published, UTC", "accuracy", "weights", "verdict"), *(_row(one.version) for one in versions)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    notes = ["", *map(_note, versions)]
    for row, note in zip(rows, notes, strict=True):
        cells = [
            f"{row[0]:>{widths[0]}}",
            *(f"{cell:<{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        line = "  ".join([*cells, note]).rstrip()
        console.print(line, highlight=False, markup=False, soft_wrap=True, style="dim" if row is rows[0] else "")


def title(version: Version) -> str:
    """Return what a version is, in a few words."""
    made = version.servable
    if made is None:
        return version.damage if version.refusal else FOREIGN
    return f"test accuracy {made.accuracy:.4f}, weights {made.weights_sha256[:12]}"


def _row(version: Version) -> tuple[str, str, str, str, str]:
    number, published, made = str(version.number), f"{version.published:%Y-%m-%d %H:%M}", version.servable
    if made is None:
        return number, published, "", "", "" if version.refusal else FOREIGN
    stamped = ", rubber-stamped" if made.rubber_stamped else ""
    verdict = f"{made.verdict.replace('_', ' ')}{stamped}"
    return number, published, f"{made.accuracy:.4f}", made.weights_sha256[:12], verdict


def _note(listed: Listed) -> str:
    served = ["served"] if listed.served else []
    copy = [] if listed.copy_of is None else [f"a copy of version {listed.copy_of}"]
    damage = [listed.version.damage] if listed.version.damage else []
    return ", ".join([*served, *copy, *damage])

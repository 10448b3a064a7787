"""Table of the versions of a pushed model."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from components.artifacts import PublishedVersion
from job.reporters.terminal import print_parts

HEADER = ("version", "published, UTC", "accuracy", "weights", "verdict")
FOREIGN = "not pushed by this job"


def print_versions(console: Console, versions: Sequence[PublishedVersion]) -> None:
    """Print one row per version; at least one, the newest first."""
    rows = [HEADER, *map(_cells, versions)]
    notes = ["", *map(_note, versions)]
    number_width, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    for (number, *cells), note in zip(rows, notes, strict=True):
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        row = escape("  ".join([number.rjust(number_width), *padded]))
        print_parts(console, f"[dim]{row}[/]" if number == HEADER[0] else f"{row}  ", [escape(note)])


def describe(version: PublishedVersion) -> str:
    """Return the accuracy and weights of a version, or why they are unknown."""
    if version.servable is None:
        return version.damage if version.content_sha256 is None else FOREIGN
    return f"test accuracy {version.servable.accuracy:.4f}, weights {version.servable.weights_sha256[:12]}"


def _cells(version: PublishedVersion) -> tuple[str, str, str, str, str]:
    number, published, servable = str(version.number), f"{version.published:%Y-%m-%d %H:%M}", version.servable
    if servable is None:
        return number, published, "", "", "" if version.content_sha256 is None else FOREIGN
    verdict = servable.verdict.replace("_", " ") + (", rubber-stamped" if servable.rubber_stamped else "")
    return number, published, f"{servable.accuracy:.4f}", servable.weights_sha256[:12], verdict


def _note(version: PublishedVersion) -> str:
    copy = "" if version.copy_of is None else f"a copy of version {version.copy_of}"
    return ", ".join(filter(None, ["served" if version.served else "", copy, version.damage]))

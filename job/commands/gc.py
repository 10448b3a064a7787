"""Command `gc`: list or delete what no kept run uses."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.markup import escape

from components.base.errors import StorageError
from components.base.formatting import format_age, format_size
from job.reporters.terminal import make_console, print_line, print_parts, print_text
from job.store.gc import Collectable, GarbageCollector, parse_age
from job.store.runs import Runs
from job.store.store import Store


def collect_garbage(root: Path, *, keep: int | None, older_than: str, delete: bool, as_json: bool) -> None:
    """List what can be deleted, and then delete it if requested.

    Raises:
        ConfigError: for a missing root or an invalid age.
        IntegrityError: if it is not certain what is used.
        StorageError: if the list cannot be printed; nothing was deleted.
    """
    store = Store(root)
    store.check_exists()
    collector = GarbageCollector(store, Runs(root), keep=keep, older_than=parse_age(older_than))
    items = list(collector.find())
    printed = _JsonList() if as_json else _Table(root)
    printed.write_items(items)
    _check_printed()
    deleted = [item for item in items if delete and collector.delete(item)]
    printed.write_deleted(items, deleted if delete else None)


def _check_printed() -> None:
    """Check that standard output has received everything: what is deleted must be on record."""
    failure: object = "it is closed" if sys.__stdout__ is None else None
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        failure = error
    if failure := failure or getattr(sys.stdout, "failure", None):
        raise StorageError(
            f"cannot print the list to standard output: {getattr(failure, 'strerror', None) or failure}",
            expected="a complete list before anything is deleted; nothing was deleted",
            remedy="free some space, or let the reader of the list read all of it",
        )


class _JsonList:
    """One JSON object, of which the part `deleted` is written last."""

    def write_items(self, items: Sequence[Collectable]) -> None:
        listed = [
            {"kind": item.kind, "path": str(item.path), "size": item.size, "age_seconds": round(item.age)}
            for item in items
        ]
        typer.echo(json.dumps({"garbage": listed}, indent=2).removesuffix("\n}") + ",")

    def write_deleted(self, items: Sequence[Collectable], deleted: Sequence[Collectable] | None) -> None:  # noqa: ARG002
        paths = [str(item.path) for item in deleted or ()]
        typer.echo(json.dumps({"deleted": paths}, indent=2).removeprefix("{\n"))


class _Table:
    """One line per item, what was kept after all, and the sum."""

    def __init__(self, root: Path) -> None:
        self.console, self.root = make_console(), root

    def write_items(self, items: Sequence[Collectable]) -> None:
        for item in items:
            head = f"{item.kind:<11} {format_size(item.size):>9} {format_age(item.age):>7}  "
            print_parts(self.console, head, [escape(_short_path(item.path, self.root))])

    def write_deleted(self, items: Sequence[Collectable], deleted: Sequence[Collectable] | None) -> None:
        size = format_size(sum(item.size for item in (items if deleted is None else deleted)))
        if deleted is not None:
            for item in items:
                if item not in deleted:
                    print_text(self.console, "kept: ", f"{escape(_short_path(item.path, self.root))} (a run uses it now)")
            print_line(self.console, f"{_count(deleted)} deleted, {size}")
        elif items:
            print_line(self.console, f"{_count(items)} can be deleted, {size}; delete with --delete")
        else:
            print_line(self.console, "nothing can be deleted")


def _count(items: Sequence[Collectable]) -> str:
    return f"{len(items)} item{'' if len(items) == 1 else 's'}"


def _short_path(path: Path, root: Path) -> str:
    name = path.name
    fingerprint, dot, suffix = name.partition(".")
    if len(fingerprint) == 64:
        name = f"{fingerprint[:12]}…{dot}{suffix}"
    return str(path.with_name(name).relative_to(root)) if path.is_relative_to(root) else str(path.with_name(name))

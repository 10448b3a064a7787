"""Command `gc`: list or delete what no kept run uses."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.base.formatting import format_size
from job.reporters.terminal import make_console, print_json, print_line, print_parts
from job.store.file_system import check_file_system
from job.store.gc import Collectable, GarbageCollector, parse_age
from job.store.runs import Runs
from job.store.store import Store


def collect_garbage(root: Path, *, keep: int | None, older_than: str, delete: bool, as_json: bool) -> None:
    """List what can be deleted, and delete it if requested; raise ConfigError for a missing root or an invalid age."""
    store = Store(root)
    store.check_exists()
    if delete:
        check_file_system(root)  # without locks, a run in progress could not be found
    collector = GarbageCollector(store, Runs(root), keep=keep, older_than=parse_age(older_than))
    items = list(collector.find())
    deleted = [item for item in items if delete and collector.delete(item)]
    if as_json:
        listed = [
            {"kind": item.kind, "path": str(item.path), "size": item.size, "age_seconds": round(item.age)}
            for item in items
        ]
        print_json({"garbage": listed, "deleted": [str(item.path) for item in deleted]})
    else:
        _print_items(make_console(), root, items, deleted if delete else None)


def _print_items(
    console: Console, root: Path, items: Sequence[Collectable], deleted: Sequence[Collectable] | None
) -> None:
    for item in items:
        head = f"{item.kind:<11} {format_size(item.size):>9} {format_age(item.age):>7}  "
        kept = [] if deleted is None or item in deleted else ["(kept: a run uses it now)"]
        print_parts(console, head, [escape(_short_path(item.path, root)), *kept])
    size = format_size(sum(item.size for item in (items if deleted is None else deleted)))
    if deleted is not None:
        print_line(console, f"{_count(deleted)} deleted, {size}")
    elif items:
        print_line(console, f"{_count(items)} can be deleted, {size}; delete with --delete")
    else:
        print_line(console, "nothing can be deleted")


def _count(items: Sequence[Collectable]) -> str:
    return f"{len(items)} item{'' if len(items) == 1 else 's'}"


def _short_path(path: Path, root: Path) -> str:
    name = path.name
    fingerprint, dot, suffix = name.partition(".")
    if len(fingerprint) == 64:
        name = f"{fingerprint[:12]}…{dot}{suffix}"
    return str(path.with_name(name).relative_to(root)) if path.is_relative_to(root) else str(path.with_name(name))


def format_age(seconds: float) -> str:
    """Return an age with the largest unit in which it is at least 2.

    >>> format_age(90), format_age(5400), format_age(700_000)
    ('90 s', '90 min', '8.1 d')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86400:.1f} d"

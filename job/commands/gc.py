"""Command `gc`: list or delete what no kept run uses."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.markup import escape

from components.base.errors import StorageError
from components.base.formatting import format_age, format_size
from job.reporters.index import refresh_index
from job.reporters.terminal import make_console, print_line, print_parts, print_text
from job.store.file_system import check_file_system
from job.store.gc import Collectable, GarbageCollector, parse_age
from job.store.opened import open_store
from job.store.root import address
from job.store.runs import Runs


def collect_garbage(root: Path, *, keep: int | None, older_than: str, delete: bool, as_json: bool) -> None:
    """List what can be deleted, and then delete it if requested.

    Raises:
        ConfigError: for a missing root or an invalid age.
        IntegrityError: if it is not certain what is used.
        StorageError: if the list cannot be printed; nothing was deleted.
    """
    store = open_store(root)
    store.check_exists()
    if delete:
        check_file_system(root)  # without locks, a run in progress could not be found
    collector = GarbageCollector(store, Runs(root), keep=keep, older_than=parse_age(older_than))
    items = list(collector.find())
    with _complete_output() if delete else nullcontext():
        if as_json:
            listed = [
                {"kind": item.kind, "path": address(item.path), "size": item.size, "age_seconds": round(item.age)}
                for item in items
            ]
            print(json.dumps({"garbage": listed}, indent=2).removesuffix("\n}") + ",")
        else:
            console = make_console()
            for item in items:
                head = f"{item.kind:<11} {format_size(item.size):>9} {format_age(item.age):>7}  "
                print_parts(console, head, [escape(_short_path(item.path, root))])
    deleted = [item for item in items if delete and collector.delete(item)]
    if any(item.kind == "run" for item in deleted):
        refresh_index(root)
    if as_json:
        print(json.dumps({"deleted": [address(item.path) for item in deleted]}, indent=2).removeprefix("{\n"))
    elif delete:
        for item in items:
            if item not in deleted and os.path.lexists(item.path):  # another process may have deleted it
                print_text(console, "kept: ", f"{escape(_short_path(item.path, root))} (a run uses it now)")
        print_line(console, f"{_count(deleted)} deleted, {_total_size(deleted)}")
    elif items:
        print_line(console, f"{_count(items)} can be deleted, {_total_size(items)}; delete with --delete")
    else:
        print_line(console, "nothing can be deleted")


@contextmanager
def _complete_output() -> Iterator[None]:
    """Raise StorageError if standard output loses a part of what the block prints: the only list of what is deleted."""
    failure: object = "it is closed" if sys.__stdout__ is None else None
    try:
        yield
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        failure = error
    if failure := failure or getattr(sys.stdout, "failure", None):
        raise StorageError(
            f"cannot print the list to standard output: {getattr(failure, 'strerror', None) or failure}",
            expected="a complete list before anything is deleted; nothing was deleted",
            remedy="free some space, or print the list to a file",
        )


def _total_size(items: Iterable[Collectable]) -> str:
    return format_size(sum(item.size for item in items))


def _count(items: Sequence[Collectable]) -> str:
    return f"{len(items)} item{'' if len(items) == 1 else 's'}"


def _short_path(path: Path, root: Path) -> str:
    name = path.name
    fingerprint, dot, suffix = name.partition(".")
    if len(fingerprint) == 64:
        name = f"{fingerprint[:12]}…{dot}{suffix}"
    return str(path.with_name(name).relative_to(root)) if path.is_relative_to(root) else str(path.with_name(name))

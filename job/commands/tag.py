"""Command `tag`: add, move, delete and list the tags of runs."""

import os
from pathlib import Path

from rich.markup import escape

from components.base.errors import ConfigError
from components.base.text import printable
from job.reporters.index import refresh_index
from job.reporters.tables import run_title
from job.reporters.terminal import make_console, print_json, print_line, print_parts
from job.store.resolve import locate_run
from job.store.root import address
from job.store.run_names import Tags
from job.store.runs import Runs


def edit_tags(run: str | None, tag: str | None, root: Path, *, delete: str | None, as_json: bool) -> None:
    """Add or move a tag, delete one, or list all, depending on which arguments are given.

    Raises:
        ConfigError: if there is no such run or tag, a run cannot have the tag, or the root cannot be written to.
    """
    if run is not None and tag is not None and delete is None:
        add_tag(run, tag, root, as_json=as_json)
    elif delete is not None and run is None:
        delete_tag(delete, root, as_json=as_json)
    elif run is None:
        list_tags(root, as_json=as_json)
    else:
        raise ConfigError(
            f"`tag {printable(run)}` is incomplete" if delete is None else "--delete excludes RUN and NAME",
            expected="`tag RUN NAME`, `tag --delete NAME`, or `tag` for a list",
            remedy="add the name" if delete is None else "use two commands",
        )


def add_tag(run: str, tag: str, root: Path, *, as_json: bool) -> None:
    """Add a tag to a run, or move it there from another run; print the tag and the runs."""
    found, runs, tags = locate_run(root, run), Runs(root), Tags(root)
    run_id, before = found.record.run_id, tags.read().get(tag)
    expected = f"a run in {runs.directory}, in the folder with its id"
    if not (runs.exists(run_id) and os.path.samefile(found.folder, runs.path(run_id))):  # noqa: PTH121
        remedy = f"name its root with --root {found.root}, or rename its folder to its id"
        raise ConfigError(f"{found.folder} is not a run of {root}", expected=expected, remedy=remedy)
    tags.write(tag, run_id)
    if not runs.exists(run_id):
        tags.remove(tag)
        remedy = "tag another run"
        raise ConfigError(f"run {run_id} was deleted by another process", expected=expected, remedy=remedy)
    refresh_index(root)
    if as_json:
        print_json({"tag": tag, "run_id": run_id, "before": before})
    else:
        moved = [] if before in (None, run_id) else [f"before: {before}"]
        print_parts(make_console(), f"{tag}  ", [*run_title(found.record), *moved])


def delete_tag(tag: str, root: Path, *, as_json: bool) -> None:
    """Delete a tag, and print it and its run."""
    tags = Tags(root)
    run_id = tags.remove(tag)
    refresh_index(root)
    if as_json:
        print_json({"tag": tag, "run_id": None, "before": run_id})
    else:
        print_line(make_console(), f"{tag} is deleted; it was the tag of {run_id}")


def list_tags(root: Path, *, as_json: bool) -> None:
    """Print each tag with its run."""
    runs, tags = Runs(root), Tags(root).read()
    if as_json:
        print_json({"tags": tags})
        return
    console = make_console()
    if not tags:
        print_line(console, f"{escape(address(root))} has no tags; `python -m job tag RUN NAME` adds one")
    width = max(map(len, tags), default=0)
    for tag, run_id in tags.items():
        title = run_title(runs.read(run_id)) if runs.exists(run_id) else [run_id, "[yellow](deleted)[/]"]
        print_parts(console, f"{tag:<{width}}  ", title)

"""Resolve names of runs: from an id, a tag, a name, a folder, `latest` or `latest-blessed` to the run."""

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from components.base.errors import ConfigError
from components.base.text import printable
from job.options import DEFAULT_ROOT, ROOT_ENV_VARIABLE
from job.store.lineage import MIN_PREFIX_LENGTH
from job.store.opened import local_path
from job.store.records import RunRecord
from job.store.root import address
from job.store.run_names import LATEST_BLESSED, NAME, RESERVED, Tags
from job.store.runs import LATEST, RECORD, Runs, read_record

ID_CUTOFF = 0.85
"""High, because all ids of one day are similar; a mistyped one differs in one or two characters."""


class NoSuchRunError(ConfigError):
    """No run has the name."""


@dataclass(frozen=True)
class FoundRun:
    """The run that was found for a name."""

    record: RunRecord
    folder: Path

    @property
    def root(self) -> Path:
        """The root that the folder of the run is in."""
        return self.folder.parents[1]


def find_run(root: Path, name: str = LATEST) -> RunRecord:
    """Return the record of a run; `name` and errors as for `locate_run`."""
    return locate_run(root, name).record


def locate_run(root: Path, name: str = LATEST, *, option: str = "") -> FoundRun:
    """Return a run by its id, tag or folder, by its name (the newest with it), or as `latest` or `latest-blessed`.

    The root comes first: a folder with one of its names is not read, unless it is written with a separator.

    Args:
        root: the root of all names but folders, which may be in any root.
        name: any name of a run; that of a folder may be a URL.
        option: the key of the configuration, or the option of the command line, that messages name.

    Raises:
        NoSuchRunError: if there is no such run.
        ConfigError: if it was deleted, and its tag was not.
        IntegrityError: if its record is damaged.
    """
    runs, named, name = Runs(root), dict[str, str](), local_path(name)
    if os.sep not in name and (folder := _folder_below(runs, name, named)) is not None:
        return FoundRun(read_record(folder), folder)
    if is_run_folder(name):
        folder = Path(os.path.abspath(name))  # noqa: PTH100  (without `..`, and links stay)
        if folder.name == LATEST and folder.is_symlink():
            folder = folder.with_name(folder.readlink().name)
        return FoundRun(read_record(folder), folder)
    raise _no_such_run(runs, name, named, option)


def is_run_folder(path: str) -> bool:
    """Return whether a path is that of a folder with the record of a run."""
    return os.path.isfile(os.path.join(path, RECORD))  # noqa: PTH113, PTH118  (False for a path that is too long)


def _folder_below(runs: Runs, name: str, named: dict[str, str]) -> Path | None:
    """Return the folder of a run of a root, or None; `named` has all names of runs if they were read."""
    run_id: str | None = None
    if name == LATEST:
        run_id = runs.latest()
    elif name == LATEST_BLESSED:
        run_id = next((record.run_id for record in runs.blessed()), None)
    elif runs.exists(name):
        run_id = name
    elif NAME.fullmatch(name):
        if (run_id := Tags(runs.root).read().get(name)) is not None and not runs.exists(run_id):
            command = f"python -m job tag RUN {name}{_root_option(runs.root)}"
            raise ConfigError(
                f"the run of the tag {name}, {run_id}, was deleted",
                expected="the tag of a run",
                remedy=f"move the tag with `{command}`, or delete it with --delete {name}",
            )
        if run_id is None:
            for given, candidate in runs.named():
                named.setdefault(given, candidate)
                if given == name:
                    run_id = candidate
                    break
    return None if run_id is None or not os.path.isdir(runs.path(run_id)) else runs.path(run_id)  # noqa: PTH112


def _no_such_run(runs: Runs, name: str, named: Iterable[str], option: str) -> ConfigError:
    ids = runs.ids()
    remedy = (
        f"correct or remove {option}" if option else f"list them with `python -m job runs{_root_option(runs.root)}`"
    )
    if name == LATEST_BLESSED and ids:
        problem, expected = f"{runs.root} has no run whose model was blessed", "a run with a blessed model"
        remedy = "name another run, or train a model first"
    elif os.sep in name:
        problem, expected = f"{name} is not the folder of a run", f"a folder with a {RECORD}"
    elif not ids:
        error = runs.no_runs()
        problem, expected, remedy = error.headline, error.expected, error.remedy
    else:
        problem = f"{runs.root} has no run `{printable(name)}`"
        expected = f"the id, tag, name or folder of a run, {LATEST} or {LATEST_BLESSED}; the newest is {ids[-1]}"
        if near := _nearest(name, ids, [*RESERVED, *Tags(runs.root).read(), *named]):
            remedy = f"did you mean `{near}`?"
    where = f"{option} is `{printable(name)}`: " if option else ""
    return NoSuchRunError(where + problem, expected=expected, remedy=remedy)


def _root_option(root: Path) -> str:
    """Return the option for a root that is not the default, after a space."""
    name = address(root)
    return "" if name == (os.environ.get(ROOT_ENV_VARIABLE) or DEFAULT_ROOT) else f" --root {shlex.quote(name)}"


def _nearest(name: str, ids: Sequence[str], names: Sequence[str]) -> str:
    """Return the name that the user probably meant, or an empty text."""
    if len(name) >= MIN_PREFIX_LENGTH:
        beginning = [each for each in dict.fromkeys([*names, *ids]) if each.startswith(name)]
        if len(beginning) == 1:
            return beginning[0]
    by_lower_case = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower_case, n=1)
    if near:
        return by_lower_case[near[0]]
    return next(iter(get_close_matches(name, ids, n=1, cutoff=ID_CUTOFF)), "")

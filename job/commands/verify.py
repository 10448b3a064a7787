"""Command `verify`: hash sealed artifacts again."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from components.base.errors import ConfigError, ExitCode, IntegrityError
from components.base.formatting import counted
from job.reporters.terminal import make_console, print_json, print_line, print_text
from job.store.manifest import MANIFEST
from job.store.opened import local_path, open_store, open_store_of
from job.store.root import address, root_of
from job.store.sealed import SealedArtifact, read_sealed
from job.store.store import Store

Readable = tuple[str, Path, Callable[[str, Path], SealedArtifact]]
"""The slot and the directory of an artifact, and the function that reads it."""


def verify(directories: Sequence[str], root: Path, *, as_json: bool) -> ExitCode:
    """Verify the artifacts in some directories, or all of a root; print the damaged ones, and return the exit code."""
    checked, failures = 0, []
    for slot, directory, read in _named(directories, open_store(root)) if directories else _sealed(open_store(root)):
        checked += 1
        try:
            read(slot, directory).verify()
        except IntegrityError as error:
            if os.path.lexists(directory):  # neither deleted nor quarantined in the meantime
                failures.append(
                    {"artifact": address(directory), "failure": f"{error.headline}; expected {error.expected}"}
                )
    if as_json:
        print_json({"checked": checked, "failures": failures})
    else:
        console = make_console()
        for failure in failures:
            print_text(console, "[bold red]FAILED[/] ", failure["failure"])
        print_line(console, f"{counted(checked, 'artifact')} verified, {len(failures)} failed")
    return ExitCode.BAD_DATA if failures else ExitCode.SUCCEEDED


def _sealed(store: Store) -> Iterator[Readable]:
    store.check_exists()
    return ((slot, directory, store.read) for slot, directory in store.sealed_directories())


def _named(names: Sequence[str], store: Store) -> Iterator[Readable]:
    for directory in map(Path, map(local_path, names)):
        if not os.path.lexists(directory / MANIFEST):
            raise ConfigError(
                f"{directory} has no {MANIFEST}",
                expected="the folder of an artifact, such as that of `predict --out`",
                remedy="correct the path",
            )
        if root_of(directory) is None:
            yield directory.name, directory.resolve(), read_sealed
        else:
            yield directory.parent.name, directory, open_store_of(directory, store).read

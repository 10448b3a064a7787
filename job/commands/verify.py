"""Command `verify`: hash sealed artifacts again."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from components.base.errors import ConfigError, ExitCode, IntegrityError
from components.base.formatting import counted
from job.reporters.terminal import make_console, print_json, print_line, print_text
from job.store.manifest import MANIFEST
from job.store.opened import open_store
from job.store.store import SealedArtifact, Store, read_sealed

Readable = tuple[str, Path, Callable[[str, Path], SealedArtifact]]
"""The slot and the directory of an artifact, and the function that reads it."""


def verify(directories: Sequence[Path], root: Path, *, as_json: bool) -> ExitCode:
    """Verify the artifacts in some directories, or all of a root; print the damaged ones, and return the exit code."""
    checked, failures = 0, []
    for slot, directory, read in _named(directories) if directories else _sealed(open_store(root)):
        checked += 1
        try:
            read(slot, directory).verify()
        except IntegrityError as error:
            if os.path.lexists(directory):  # neither deleted nor quarantined in the meantime
                failures.append({"artifact": str(directory), "failure": f"{error.headline}; expected {error.expected}"})
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


def _named(directories: Sequence[Path]) -> Iterator[Readable]:
    for directory in directories:
        if not os.path.lexists(directory / MANIFEST):
            raise ConfigError(
                f"{directory} has no {MANIFEST}",
                expected="the folder of an artifact, such as that of `predict --out`",
                remedy="correct the path",
            )
        yield directory.name, directory.resolve(), read_sealed

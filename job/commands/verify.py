"""Command `verify`: hash every sealed artifact again."""

import os
from pathlib import Path

from components.base.errors import ExitCode, IntegrityError
from job.reporters.terminal import make_console, print_json, print_line, print_text
from job.store.store import Store


def verify(root: Path, *, as_json: bool) -> ExitCode:
    """Verify all artifacts of a root, print the damaged ones, and return the exit code."""
    store = Store(root)
    store.check_exists()
    checked, failures = 0, []
    for slot, directory in store.sealed_directories():
        checked += 1
        try:
            store.read(slot, directory).verify()
        except IntegrityError as error:
            if os.path.lexists(directory):  # neither deleted nor quarantined in the meantime
                failures.append({"artifact": str(directory), "failure": f"{error.headline}; expected {error.expected}"})
    if as_json:
        print_json({"checked": checked, "failures": failures})
    else:
        console = make_console()
        for failure in failures:
            print_text(console, "[bold red]FAILED[/] ", failure["failure"])
        print_line(console, f"{checked} artifacts verified, {len(failures)} failed")
    return ExitCode.BAD_DATA if failures else ExitCode.SUCCEEDED

"""Rebuild a run in an empty root, and compare its artifacts with the original ones, digest by digest."""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.base.errors import ConfigError
from components.base.text import printable
from components.io.atomic import write_atomically
from components.object_storage.settings import storage_settings
from job.config.config import TRACKING, JobConfig, build_config
from job.config.run_config import run_config
from job.reporters.listener import RunListener
from job.runner.runner import Runner
from job.signals import Signals
from job.store.pinned import OriginalRun
from job.store.rebuilt import Reproduction, compare
from job.store.root import root_of

STATE = "reproduction.json"
"""Marks the folder of a reproduction: the id of the run, and the result once it is known."""
REPRODUCTIONS = "reproductions"


def reproduce(original: OriginalRun, into: Path | None, listener: RunListener, signals: Signals) -> Reproduction:
    """Rebuild the finished steps of a run, and compare; stop at the first artifact that differs.

    Called again after an interruption, it continues.

    Args:
        into: an empty or missing folder, or that of an interrupted reproduction of this run. By default a folder in
            the root of the run, or in the cache if that is in object storage. It is deleted if everything is
            identical. Otherwise it is kept until the next reproduction of this run.

    Raises:
        ConfigError: if the run has no finished steps, or the folder is not empty.
        JobError: if a step fails.
    """
    record = original.record
    if not record.steps:
        problem, remedy = f"run {record.run_id} finished no step", "name another run"
        raise ConfigError(problem, expected="a run with artifacts to compare", remedy=remedy)
    folder = _default_folder(original.store.root, record.run_id) if into is None else into
    config = rebuild_config(original, folder)
    if into is None:
        _delete_finished(folder)
    _begin(folder, record.run_id)
    runner = Runner(
        config,
        listener,
        signals,
        until=record.steps[-1].component,
        note=f"rebuilds run {record.run_id}",
        rebuilds=original,
    )
    rebuilt = runner.run()
    result = compare(original, rebuilt, runner.store)
    write_atomically(folder / STATE, json.dumps(result.to_json(), indent=2) + "\n")
    if into is None and result.is_identical:
        shutil.rmtree(folder)
        with suppress(OSError):  # it is not empty
            folder.parent.rmdir()
        return replace(result, root=None)
    return result


def _default_folder(root: Path, run_id: str) -> Path:
    if root_of(root) is None:
        return root / REPRODUCTIONS / run_id
    return storage_settings().cache_folder / REPRODUCTIONS / f"{root.name}-{run_id}"


def rebuild_config(original: OriginalRun, root: Path) -> JobConfig:
    """Return the configuration of a run for another root, without tracking."""
    document = run_config(original.found)
    document.values.pop(TRACKING, None)
    return build_config(document, root=root)


def _delete_finished(folder: Path) -> None:
    """Delete a finished reproduction, so that repeated ones do not fill the disk; keep an unfinished one."""
    deleting = folder.with_name(f"{folder.name}.deleting")
    shutil.rmtree(deleting, ignore_errors=True)  # of a killed process
    if "identical" in (_state(folder) or {}):
        try:
            shutil.rmtree(folder.rename(deleting))
        except OSError as error:
            raise ConfigError.not_writable(folder, error, remedy="name a writable folder with --into") from error


def _begin(folder: Path, run_id: str) -> None:
    """Mark a folder as that of a reproduction; check that it is empty, or is that of an interrupted one."""
    expected = "an empty folder, or that of an interrupted reproduction of the same run"
    remedy = "name another one with --into, or delete it"
    state = _state(folder)
    if state is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(path.name != f".{STATE}" for path in folder.iterdir()):  # of a killed process
                raise ConfigError(f"{folder} is not empty", expected=expected, remedy=remedy)
            write_atomically(folder / STATE, json.dumps({"run_id": run_id}) + "\n")
        except OSError as error:
            raise ConfigError.not_writable(folder, error, remedy="name a writable folder with --into") from error
    elif state.get("run_id") != run_id:
        problem = f"{folder} contains a reproduction of run {printable(state.get('run_id'))}"
        raise ConfigError(problem, expected=expected, remedy=remedy)
    elif "identical" in state:
        problem = f"{folder} contains a finished reproduction of run {run_id}"
        raise ConfigError(problem, expected=expected, remedy=remedy)


def _state(folder: Path) -> dict[str, Any] | None:
    """Return the state of the reproduction in a folder; None if there is none."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None

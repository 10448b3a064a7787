"""Rebuild a run in an empty root, and compare its artifacts with the original ones, digest by digest."""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components import Model
from components.base.errors import ConfigError, IntegrityError
from components.base.text import printable
from components.io.atomic import write_atomically
from job.config.config import JobConfig, build_config
from job.config.only import TRACKING
from job.config.run_config import run_config
from job.reporters.listener import RunListener
from job.runner.runner import Runner
from job.signals import Signals
from job.store.differences import Change, changes, run_differences
from job.store.manifest import Manifest
from job.store.pinned import OriginalRun
from job.store.records import RunRecord, StepRecord
from job.store.store import Store

STATE = "reproduction.json"
"""Marks the folder of a reproduction: the id of the run, and the result once it is known."""
REPRODUCTIONS = "reproductions"
NO_EFFECT = frozenset({"memory_limit_bytes", "version"})
"""Parts of the environment that do not decide a result: the source digest covers the changes of a version."""
TRAINED_WITH = "environment."
"""Prefix of the fields of a Model with the software and hardware of its training."""


@dataclass(frozen=True, kw_only=True)
class StepComparison:
    """The artifact of one step of the original run, and the rebuilt one."""

    component: str
    digest: str
    rebuilt_digest: str | None
    """None if it was not rebuilt, because an earlier step differs."""

    @property
    def is_identical(self) -> bool:
        """Whether the contents are the same."""
        return self.digest == self.rebuilt_digest


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first artifact that differs."""

    component: str
    reasons: tuple[str, ...]
    """Known differences: configuration, code, libraries, Python, machine."""
    files: tuple[str, ...]
    """Files with other content, or in only one of the artifacts."""
    fields: tuple[str, ...]
    """Fields of the statement with another value, such as `best_epoch 3 → 4`."""
    has_original: bool
    """Whether the original artifact still exists; otherwise only its digest could be compared."""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """The result of rebuilding a run."""

    run_id: str
    root: str | None
    """Where it was rebuilt; None if it was identical and deleted."""
    steps: tuple[StepComparison, ...]
    difference: Difference | None

    @property
    def is_identical(self) -> bool:
        """Whether all artifacts of the run have the same content."""
        return self.difference is None

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {"identical": self.is_identical, **asdict(self)}


def reproduce(original: OriginalRun, into: Path | None, listener: RunListener, signals: Signals) -> Reproduction:
    """Rebuild the finished steps of a run, and compare; stop at the first artifact that differs.

    Called again after an interruption, it continues.

    Args:
        into: an empty or missing folder, or that of an interrupted reproduction of this run. By default a folder in
            the root of the run, which is deleted if everything is identical.

    Raises:
        ConfigError: if the run has no finished steps, or the folder is not empty.
        JobError: if a step fails.
    """
    record = original.record
    if not record.steps:
        problem, remedy = f"run {record.run_id} finished no step", "name another run"
        raise ConfigError(problem, expected="a run with artifacts to compare", remedy=remedy)
    folder = _free_folder(original) if into is None else into
    config = rebuild_config(original, folder)
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


def rebuild_config(original: OriginalRun, root: Path) -> JobConfig:
    """Return the configuration of a run for another root, without tracking."""
    document = run_config(original.found)
    document.values.pop(TRACKING, None)
    return build_config(document, root=root)


def compare(original: OriginalRun, rebuilt: RunRecord, store: Store) -> Reproduction:
    """Compare the artifacts of a run with those of the run that rebuilt it, in another store."""
    after = {step.component: step for step in rebuilt.steps}
    steps = tuple(
        StepComparison(
            component=step.component,
            digest=step.digest,
            rebuilt_digest=after[step.component].digest if step.component in after else None,
        )
        for step in original.record.steps
    )
    first = next((step.component for step in steps if not step.is_identical), None)
    difference = None if first is None else _explain(original, rebuilt, after[first], store)
    return Reproduction(run_id=original.record.run_id, root=str(store.root), steps=steps, difference=difference)


def _explain(original: OriginalRun, rebuilt: RunRecord, step: StepRecord, store: Store) -> Difference:
    new = store.read(step.component, store.directory(step.component, step.fingerprint)).manifest
    old = _original_manifest(original, step.component)
    reasons = [] if old is None else [*new.fingerprint_inputs.differences(old.fingerprint_inputs)]
    known = run_differences(original.record, rebuilt)
    environment = [change for change in known.environment if change.key not in NO_EFFECT]
    files: list[str] = []
    fields: list[Change] = []
    if old is not None:
        before, after = ({file.path: file.sha256 for file in manifest.files} for manifest in (old, new))
        files = sorted({path for path, _ in before.items() ^ after.items()})
        fields = changes(_statement(old), _statement(new))
        if isinstance(new.artifact, Model):  # whose statement has threads and device
            environment += [
                replace(each, key=each.key.removeprefix(TRAINED_WITH)) for each in fields if _is_cause(each)
            ]
            fields = [each for each in fields if not _is_cause(each)]
    # The original has the files of all its steps, the other run only of those up to this one.
    sources = [change for change in known.source_files or () if change.key in rebuilt.source_files]
    reasons += [f"source code of {change.key}" for change in sources]
    named = {reason.removeprefix("library ") for reason in reasons}
    reasons += [f"library {change}" for change in known.packages if str(change) not in named]
    reasons += list(dict.fromkeys(map(str, environment)))
    return Difference(
        component=step.component,
        reasons=tuple(map(printable, reasons)),
        files=tuple(files),
        fields=tuple(printable(str(change)) for change in fields),
        has_original=old is not None,
    )


def _is_cause(change: Change) -> bool:
    """Return whether a field of a Model belongs to its environment; versions of libraries are in the fingerprint."""
    return change.key.startswith(TRAINED_WITH)


def _statement(manifest: Manifest) -> Any:
    return _by_index(manifest.artifact.model_dump(mode="json"))


def _by_index(value: Any) -> Any:
    """Return JSON values with a mapping by index in place of each list, so that single items can be compared."""
    items = dict(enumerate(value)) if isinstance(value, list) else value
    return {str(key): _by_index(item) for key, item in items.items()} if isinstance(items, dict) else items


def _original_manifest(original: OriginalRun, slot: str) -> Manifest | None:
    step = original.steps[slot]
    try:
        sealed = original.store.read(slot, original.store.directory(slot, step.fingerprint))
    except IntegrityError:
        return None
    return sealed.manifest if sealed.manifest.digest == step.digest else None


def _free_folder(original: OriginalRun) -> Path:
    """Return the folder of an unfinished reproduction of a run in its root, or else a new one."""
    folder, number = original.store.root / REPRODUCTIONS / original.record.run_id, 1
    while (state := _state(folder)) is not None and "identical" in state:
        number += 1
        folder = folder.with_name(f"{original.record.run_id}-{number}")
    return folder


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

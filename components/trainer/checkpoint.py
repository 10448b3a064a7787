"""Checkpoints: everything a training needs to continue as if it had never been interrupted.

    <directory>/epoch-0003-step-00120/checkpoint.json   readable: position, history, digests
    <directory>/epoch-0003-step-00120/state.npz         every variable, as NumPy arrays

A checkpoint is written under a temporary name, flushed to the disk and renamed once, so a directory with such a name is
complete. The newest two are kept, in case the disk damages one.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from components.artifacts import Epoch, Statement
from components.base.component import Context
from components.base.errors import IntegrityError, first_line, first_validation_error
from components.base.hashing import file_sha256, value_sha256
from components.base.progress import Progress
from components.io.atomic import flush_tree, rename_durably
from components.runtime.disk import disk_space_guard
from components.trainer.early_stopping import BestEpoch, EarlyStopping
from components.trainer.step_history import StepHistory

Arrays = dict[str, NDArray[np.generic]]
RECORD_FILE = "checkpoint.json"
STATE_FILE = "state.npz"
STEPS = "steps"
CHECKPOINT_NAME = re.compile(r"epoch-(\d{4,})-step-(\d{5,})", re.ASCII)
OVERHEAD_BYTES = 64 * 1024
"""Disk space beside the arrays: their names, the record, the directory."""
NUMBER = re.compile(r"_\d+(?=[/_]|$)", re.ASCII)
"""Keras numbers the objects of a process that have no name: `adam_1/iteration` belongs to the second optimizer."""


class Checkpoint(Statement):
    """The content of `checkpoint.json`."""

    schema_version: Literal[1] = 1
    fingerprint: str = ""
    """The fingerprint of the training; no other training may resume from this checkpoint."""
    epoch: Annotated[int, Field(ge=1)]
    """The epoch in progress, from 1; one more than the number of epochs if all are done."""
    step: Annotated[int, Field(ge=0)]
    """Steps of it that are done."""
    done: bool
    """Whether training is complete, and only the model remains to be exported."""
    history: tuple[Epoch, ...]
    best: BestEpoch
    machine: str
    """The hardware so far; another device, processor or number of threads rounds differently."""
    arrays: dict[str, str] = Field(default={})
    """Type and shape of each array of the state."""
    state_sha256: str = ""
    digest: str = ""
    """SHA-256 of all other fields."""

    @property
    def name(self) -> str:
        return f"epoch-{self.epoch:04}-step-{self.step:05}"

    def with_digest(self) -> Self:
        return self.model_copy(update={"digest": value_sha256(self.model_dump(mode="json", exclude={"digest"}))})

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Self:
        """Read a record; raise IntegrityError if the content is not one, or has changed."""
        try:
            record = cls.model_validate_json(content)
            digest = record.with_digest().digest
        except ValidationError as error:
            raise _unusable(where, first_validation_error(error)) from error
        except ValueError as error:
            raise _unusable(where, first_line(error)) from error
        if record.digest != digest:
            raise IntegrityError(f"{where} has been changed: its SHA-256 is {digest}", expected=record.digest)
        return record


class Checkpoints:
    """The checkpoints of one training, in a directory that the first write creates."""

    def __init__(self, directory: Path, *, fingerprint: str) -> None:
        self.directory = directory
        self.fingerprint = fingerprint

    def write(self, record: Checkpoint, arrays: Arrays) -> None:
        """Add the digests, write a checkpoint, read it back, and delete all older ones except the previous one.

        Existing checkpoints stay if it fails: with StorageError if the disk is full, and with IntegrityError if the
        checkpoint does not read back.
        """
        draft = self.directory / "draft"
        needed = sum(array.nbytes for array in arrays.values()) + OVERHEAD_BYTES
        with disk_space_guard(self.directory.parent, needed, "a checkpoint"):
            try:
                _delete(draft)
                draft.mkdir(parents=True)
                self._write_files(draft, record, arrays)
            except OSError:
                _delete(draft)
                raise
        path = self.directory / record.name
        _delete(path)
        rename_durably(draft, path)
        self.read(path)
        for old in self.paths()[2:]:
            _delete(old)

    def _write_files(self, draft: Path, record: Checkpoint, arrays: Arrays) -> None:
        state = draft / STATE_FILE
        with state.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        digests = {"fingerprint": self.fingerprint, "arrays": _describe(arrays), "state_sha256": file_sha256(state)}
        record = record.model_copy(update=digests).with_digest()
        (draft / RECORD_FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        flush_tree(draft)

    def newest(self, progress: Progress) -> tuple[Checkpoint, Arrays] | None:
        """Return the newest intact checkpoint of this training, or None; damaged ones are deleted with a warning."""
        paths = self.paths()
        for path in paths:
            try:
                return self.read(path)
            except IntegrityError as error:
                progress.warning(f"{error.headline}; it is not used")
                _delete(path)
        if paths:
            progress.warning("no checkpoint is intact: training starts from the beginning")
        return None

    def read(self, path: Path) -> tuple[Checkpoint, Arrays]:
        """Read a checkpoint; raise IntegrityError if it is damaged, or belongs to another training."""
        state = path / STATE_FILE
        try:
            record = Checkpoint.from_bytes((path / RECORD_FILE).read_bytes(), where=str(path / RECORD_FILE))
            if record.fingerprint != self.fingerprint:
                raise _unusable(str(path), "it belongs to another training")
            if (digest := file_sha256(state)) != record.state_sha256:
                raise IntegrityError(f"{state} has been changed: its SHA-256 is {digest}", expected=record.state_sha256)
            with np.load(state, allow_pickle=False) as loaded:
                arrays = {name: loaded[name] for name in record.arrays}
        except (OSError, ValueError, KeyError) as error:
            raise _unusable(str(path), first_line(error)) from error
        return record, arrays

    def paths(self) -> list[Path]:
        """Return the directories of all checkpoints, newest first."""
        if not self.directory.is_dir():
            return []
        found = [(match, path) for path in self.directory.iterdir() if (match := CHECKPOINT_NAME.fullmatch(path.name))]
        return [path for _, path in sorted(found, key=lambda pair: tuple(map(int, pair[0].groups())), reverse=True)]


class CheckpointStore(Protocol):
    """Where training saves checkpoints, and resumes from them."""

    def write(self, record: Checkpoint, arrays: Arrays) -> None:
        """Add a checkpoint."""

    def newest(self, progress: Progress) -> tuple[Checkpoint, Arrays] | None:
        """Return the newest intact checkpoint of this training, or None."""


class NoCheckpoints:
    """Stores nothing: the null object for a context without a checkpoint directory."""

    def write(self, record: Checkpoint, arrays: Arrays) -> None: ...

    def newest(self, progress: Progress) -> None: ...


def open_checkpoints(context: Context) -> CheckpointStore:
    """Return the checkpoints of a component's context."""
    if context.checkpoints is None:
        return NoCheckpoints()
    return Checkpoints(context.checkpoints, fingerprint=context.fingerprint)


def capture_state(classifier: Any, stopping: EarlyStopping, steps: StepHistory) -> Arrays:
    """Return the state of a compiled and built classifier, the weights of its best epoch, and the steps, by name.

    Names begin with `network` (weights, statistics of batch normalization, random states of dropout), `optimizer`,
    `metrics` (sums of the epoch's running means), `best` and `steps`.
    """
    arrays = {name: variable.numpy() for name, variable in _variables(classifier)}
    # Before the first epoch ends there are no best weights.
    weights = zip(classifier.network.weights, stopping.weights, strict=False)
    best = {f"best/{number:03}/{variable.path}": array for number, (variable, array) in enumerate(weights)}
    return arrays | best | {STEPS: steps.state}


def restore_state(arrays: Arrays, classifier: Any, stopping: EarlyStopping, steps: StepHistory) -> None:
    """Assign the arrays of `capture_state`; raise IntegrityError if the classifier has other variables."""
    variables = dict(_variables(classifier))
    saved = {name: array for name, array in arrays.items() if name != STEPS and not name.startswith("best/")}
    if _describe(saved) != _describe(variables):
        raise IntegrityError(
            "the checkpoint's variables are not those of the network",
            expected="a checkpoint of the same network and optimizer",
            remedy="delete it; the job then trains from the beginning",
        )
    for name, variable in variables.items():
        variable.assign(saved[name])
    stopping.weights = [arrays[name] for name in sorted(arrays) if name.startswith("best/")]
    steps.state = arrays[STEPS]


def _variables(classifier: Any) -> Iterator[tuple[str, Any]]:
    groups = {
        "network": classifier.network.variables,
        "optimizer": classifier.optimizer.variables,
        "metrics": classifier.metrics_variables,
    }
    for group, variables in groups.items():
        for number, variable in enumerate(variables):
            yield f"{group}/{number:03}/{NUMBER.sub('', variable.path)}", variable


def _describe(arrays: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{array.dtype} {list(array.shape)}" for name, array in arrays.items()}


def _unusable(where: str, why: str) -> IntegrityError:
    return IntegrityError(f"the checkpoint {where} cannot be used: {why}", expected="an unchanged checkpoint")


def _delete(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)

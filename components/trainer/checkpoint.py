"""Checkpoints: what a training needs to go on as if it had never been ended.

    <directory>/epoch-0003-step-00120/checkpoint.json   what a person can read: position, history, digests
    <directory>/epoch-0003-step-00120/state.npz         every variable, as NumPy arrays

Each is written under another name, flushed to the disk, and renamed once, so that whatever
has such a name is whole; the newest two are kept, so that there is one to fall back to if the
disk damages the other.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from components.artifacts import Epoch, Statement
from components.base.errors import IntegrityError, first_line, first_validation_error
from components.base.hashing import file_sha256, value_sha256
from components.io.atomic import flush_tree, rename_durably
from components.runtime.disk import disk_space_guard
from components.trainer.early_stopping import BestEpoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.base.progress import Progress

    Arrays = dict[str, NDArray[np.generic]]

RECORD = "checkpoint.json"
STATE = "state.npz"
DRAFT = "draft"
KEPT = 2
NAME = re.compile(r"epoch-(\d{4,})-step-(\d{5,})", re.ASCII)
MARGIN = 64 * 1024
"""Bytes beside the arrays themselves: their names, the record, the directory."""


class Checkpoint(Statement):
    """What `checkpoint.json` holds."""

    schema_version: Literal[1] = 1
    guard: str = ""
    """Names the training that it belongs to: no other may go on from it."""
    epoch: Annotated[int, Field(ge=1)]
    """The epoch that goes on, from 1; one more than there are if all are done."""
    step: Annotated[int, Field(ge=0)]
    """Steps of it that are done."""
    done: bool
    """Whether training is over, and only the model is still to be written."""
    history: tuple[Epoch, ...]
    best: BestEpoch
    machine: str
    """What it was trained on so far; another device, processor or number of threads rounds otherwise."""
    arrays: dict[str, str] = Field(default={})
    """Type and shape of each array in the state."""
    state_sha256: str = ""
    digest: str = ""
    """Over all of the above."""

    @property
    def name(self) -> str:
        """The name of its directory."""
        return f"epoch-{self.epoch:04}-step-{self.step:05}"

    def signed(self) -> Checkpoint:
        """Return the same with its digest."""
        return self.model_copy(update={"digest": self._found_digest()})

    def _found_digest(self) -> str:
        return value_sha256(self.model_dump(mode="json", exclude={"digest"}))

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Checkpoint:
        """Read a record and hold it against its own digest.

        Raises:
            IntegrityError: if it is no such record, or not as it was written.
        """
        try:
            record = cls.model_validate_json(content)
        except ValidationError as error:
            raise _damaged(where, first_validation_error(error)) from error
        try:
            found = record._found_digest()
        except ValueError as error:
            raise _damaged(where, first_line(error)) from error
        if record.digest != found:
            raise IntegrityError(f"{where} has been changed: its SHA-256 is {found}", expected=record.digest)
        return record


class Checkpoints:
    """The checkpoints of one training, in a directory of their own.

    Args:
        directory: where they are kept; made when it is first written to.
        guard: names the training; see `Checkpoint.guard`.
    """

    def __init__(self, directory: Path, *, guard: str) -> None:
        self.directory = directory
        self.guard = guard

    def write(self, record: Checkpoint, arrays: Arrays) -> None:
        """Write a checkpoint, read it back, and let go of those before the previous one.

        Args:
            record: what it is; its digests are filled in here.
            arrays: the state, by name.

        Raises:
            StorageError: if there is no space for it; the ones that are there stay.
            IntegrityError: if what was written does not read back; the same.
        """
        draft = self.directory / DRAFT
        with disk_space_guard(
            self.directory.parent, sum(array.nbytes for array in arrays.values()) + MARGIN, "a checkpoint"
        ):
            try:
                _clear(draft)
                draft.mkdir(parents=True)
                record = self._write(draft, record, arrays)
            except OSError:
                _clear(draft)
                raise
        place = self.directory / record.name
        _clear(place)
        rename_durably(draft, place)
        self.read(place)
        for old in self.places()[KEPT:]:
            _clear(old)

    def _write(self, draft: Path, record: Checkpoint, arrays: Arrays) -> Checkpoint:
        import numpy as np

        with (draft / STATE).open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        stated = {"guard": self.guard, "arrays": describe_arrays(arrays), "state_sha256": file_sha256(draft / STATE)}
        record = record.model_copy(update=stated).signed()
        (draft / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        flush_tree(draft)
        return record

    def newest(self, progress: Progress) -> tuple[Checkpoint, Arrays] | None:
        """Return the newest checkpoint that is whole and of this training, or None if there is none.

        Args:
            progress: told of each one that is damaged.
        """
        places = self.places()
        for place in places:
            try:
                return self.read(place)
            except IntegrityError as error:
                progress.warning(f"{error.headline}; it is not used")
                _clear(place)
        if places:
            progress.warning("no checkpoint is whole: training begins anew")
        return None

    def read(self, place: Path) -> tuple[Checkpoint, Arrays]:
        """Return a checkpoint, verified.

        Raises:
            IntegrityError: if it is damaged, or belongs to another training.
        """
        import numpy as np

        try:
            record = Checkpoint.from_bytes((place / RECORD).read_bytes(), where=str(place / RECORD))
            if record.guard != self.guard:
                raise _damaged(str(place), "it belongs to another training")
            state = place / STATE
            if (found := file_sha256(state)) != record.state_sha256:
                raise IntegrityError(f"{state} has been changed: its SHA-256 is {found}", expected=record.state_sha256)
            with np.load(state, allow_pickle=False) as loaded:
                arrays = {name: loaded[name] for name in record.arrays}
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(str(place), first_line(error)) from error
        return record, arrays

    def places(self) -> list[Path]:
        """Return the directories of the checkpoints that are there, the newest first."""
        if not self.directory.is_dir():
            return []
        found = [(match, path) for path in self.directory.iterdir() if (match := NAME.fullmatch(path.name))]
        return [path for _, path in sorted(found, key=lambda pair: tuple(map(int, pair[0].groups())), reverse=True)]


class NoCheckpoints:
    """Keeps nothing: the null object where there is no place for checkpoints."""

    def write(self, record: Checkpoint, arrays: Arrays) -> None: ...

    def newest(self, progress: Progress) -> None: ...


def describe_arrays(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Return the type and shape of each array, such as `float32 [3, 3, 1, 32]`."""
    return {name: f"{array.dtype} {list(array.shape)}" for name, array in arrays.items()}


def _damaged(where: str, why: str) -> IntegrityError:
    return IntegrityError(f"the checkpoint {where} cannot be used: {why}", expected="a checkpoint as it was written")


def _clear(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)

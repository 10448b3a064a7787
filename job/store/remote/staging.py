"""The folders of one attempt on a remote root: checkpoints are continued from, and shared with, other machines.

<fingerprint>.partial/origin.json       the attempt to which the local checkpoints belong
<fingerprint>.partial/upload-XXXX/      files in transfer
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import IntegrityError, JobError
from components.base.progress import Progress
from components.object_storage.settings import storage_settings
from job.store.remote.checkpoint_uploads import CheckpointUploads
from job.store.remote.checkpoints import RemoteCheckpoints, SavedCheckpoint, attempt_of, names_newest_first
from job.store.remote.sealing import new_id
from job.store.staging import Staging

ORIGIN = "origin.json"


@dataclass(frozen=True)
class Origin:
    """Where local checkpoints come from."""

    attempt: str = ""
    """The attempt that wrote them."""
    base: str = ""
    """Name of a record with them, or from which they continue; empty if there is none."""

    @classmethod
    def read(cls, path: Path) -> "Origin":
        """Return the content of a file; without a value if that is missing or damaged."""
        with suppress(OSError, ValueError, TypeError):
            return cls(**json.loads(path.read_bytes()))
        return cls()

    def write(self, path: Path) -> None:
        """Write a file."""
        path.write_text(json.dumps({"attempt": self.attempt, "base": self.base}))

    def includes(self, newest: str) -> bool:
        """Return whether the local checkpoints are at least as new as a record."""
        return newest == self.base or attempt_of(newest) == self.attempt


@dataclass(frozen=True)
class RemoteStaging(Staging):
    """The folders of one attempt, whose checkpoints are uploaded."""

    remote: RemoteCheckpoints
    uploads: CheckpointUploads

    def checkpoint_saved(self) -> None:
        self.uploads.save(self.checkpoints)

    def flush_checkpoints(self, requested_for: Callable[[float], bool], *, hurry: bool = False) -> bool:
        settings = storage_settings()
        self.uploads.save(self.checkpoints)
        patience = settings.timeout / 2 if hurry else math.inf
        return self.uploads.flush(lambda: requested_for(settings.grace), patience=patience)

    def discard_checkpoints(self) -> None:
        super().discard_checkpoints()
        self.uploads.stop(storage_settings().timeout)
        if self.uploads.has_objects:
            with suppress(JobError):  # gc deletes them
                self.remote.delete(self.remote.list())


@contextmanager
def shared_checkpoints(staging: Staging, remote: RemoteCheckpoints, progress: Progress) -> Iterator[RemoteStaging]:
    """Make the newest checkpoints of all machines local, and upload new ones while the block runs."""
    partial, attempt = staging.checkpoints.parent, new_id()
    for left in partial.glob("upload-*"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = partial / f"upload-{attempt}"
    listed = remote.list()
    previous = _continue(staging.checkpoints, remote, listed, scratch / "downloaded", progress)
    Origin(attempt, next(iter(names_newest_first(listed)), "")).write(partial / ORIGIN)
    uploads = CheckpointUploads(
        remote,
        attempt,
        listed=listed,
        previous=previous,
        scratch=scratch,
        progress=progress,
        on_record=lambda name: Origin(attempt, name).write(partial / ORIGIN),
    )
    uploads.save(staging.checkpoints)
    try:
        yield RemoteStaging(staging.slot, staging.files, staging.checkpoints, remote=remote, uploads=uploads)
    finally:
        uploads.stop()
        with suppress(OSError):  # missing or, as with checkpoints, not empty
            staging.checkpoints.rmdir()
        if not staging.checkpoints.is_dir():
            (partial / ORIGIN).unlink(missing_ok=True)


def are_unshared(partial: Path) -> bool:
    """Return whether local checkpoints never were in object storage."""
    return not Origin.read(partial / ORIGIN).base


def _continue(
    folder: Path, remote: RemoteCheckpoints, listed: dict[str, int], draft: Path, progress: Progress
) -> SavedCheckpoint | None:
    """Replace the local checkpoints by newer ones of another machine; return the record that they continue from."""
    newest, origin = next(iter(names_newest_first(listed)), None), Origin.read(folder.parent / ORIGIN)
    if newest is None:
        if origin.base:  # another machine has deleted them: they may come from damaged data
            shutil.rmtree(folder, ignore_errors=True)
        return None
    if folder.is_dir() and origin.includes(newest):
        with suppress(IntegrityError):
            return remote.read(newest)
        return None
    if (found := remote.download(listed, draft, progress)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return found

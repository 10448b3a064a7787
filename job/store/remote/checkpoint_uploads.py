"""Uploads of checkpoints in the background: the component never waits for them.

The newest state of the folder is uploaded; states in between are skipped if the uploads are slower than the component.
"""

import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import JobError, first_line
from components.base.hashing import file_sha256
from components.base.progress import Progress
from components.io.atomic import link_or_copy
from components.object_storage.deadline import seconds_left
from job.store.remote.checkpoints import RemoteCheckpoints, SavedCheckpoint, SavedFile, number_of, record_name
from job.store.remote.sealing import new_id

RETRY_SECONDS = 10.0
"""Delay between a failed upload and the next attempt, in addition to the retries of each request."""
POLL_SECONDS = 0.1
ANNOUNCE_SECONDS = 1.0
"""A longer wait at the end is reported."""
STOP_SECONDS = 2.0
"""Maximum wait until an upload in progress stops; one that waits for a response may take longer."""

State = dict[str, tuple[int, int, int]]
"""Size, time of the last change in nanoseconds, and inode of each file."""


class _StoppedError(Exception):
    """Raised in an upload that must end."""


@dataclass(frozen=True)
class Snapshot:
    """The files of a folder at one moment, as hard links."""

    folder: Path
    state: State

    @classmethod
    def take(cls, source: Path, folder: Path) -> "Snapshot":
        """Link the files of a folder in another, new one."""
        for path in _files(source):
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, target)
        return cls(folder, state_of(folder))

    def delete(self) -> None:
        """Delete the links."""
        shutil.rmtree(self.folder, ignore_errors=True)


def state_of(folder: Path) -> State:
    """Return the state of the files of a folder."""
    found: State = {}
    for path in _files(folder):
        status = path.stat()
        found[path.relative_to(folder).as_posix()] = status.st_size, status.st_mtime_ns, status.st_ino
    return found


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if (path := Path(parent, name)).is_file() and not path.is_symlink():
                yield path


class CheckpointUploads:
    """Uploads the checkpoints of one attempt in a thread.

    Args:
        remote: where to.
        attempt: random name of the attempt.
        listed: the objects there when the attempt began. Those that are not needed any more are deleted; others, which
            an attempt on another machine may need, are not.
        previous: the record that the attempt continues from.
        scratch: folder for snapshots, on the file system of the checkpoints.
        progress: receives warnings, in the thread of the component.
        on_record: called with the name of a new record, in the thread of the uploads.
    """

    def __init__(
        self,
        remote: RemoteCheckpoints,
        attempt: str,
        *,
        listed: dict[str, int],
        previous: SavedCheckpoint | None,
        scratch: Path,
        progress: Progress,
        on_record: Callable[[str], None],
    ) -> None:
        self._on_record = on_record
        self._remote, self._attempt, self._scratch, self._progress = remote, attempt, scratch, progress
        self._number = max(map(number_of, listed), default=0)
        self._kept = [] if previous is None else [previous]
        self._objects = {*listed}
        self._hashes: dict[tuple[int, int, int], str] = {}
        self._last_state: State = {}
        self._waiting: Snapshot | None = None
        self._is_ending = False
        self._is_stopped = False
        self._failure: Exception | None = None
        self._is_reported = False
        self._is_late = False
        """Whether `flush` has waited long enough."""
        self._progressed_at = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def has_objects(self) -> bool:
        """Whether objects of checkpoints may exist."""
        return bool(self._objects) or self._thread is not None

    def save(self, folder: Path) -> None:
        """Upload the present files of a folder soon, instead of those that wait."""
        try:
            state = state_of(folder)
            if self._is_stopped or not state or state == self._last_state:
                return
            snapshot = Snapshot.take(folder, self._scratch / new_id())
        except OSError as error:  # a full disk, or a file that was deleted meanwhile
            self._failure = error
            self._report()
            return
        self._last_state = state
        with self._changed:
            replaced, self._waiting = self._waiting, snapshot
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        if replaced is not None:
            replaced.delete()
        self._report()

    def flush(self, is_over: Callable[[], bool], *, patience: float = math.inf) -> bool:
        """Wait until the last files are uploaded, an attempt to do so fails, or `is_over` returns true.

        Return whether they are uploaded.

        Args:
            patience: seconds without progress that also end the wait.
        """
        self._end()
        began = time.monotonic()
        is_announced = False
        while self._is_alive() and not is_over() and time.monotonic() - max(began, self._progressed_at) < patience:
            if not is_announced and time.monotonic() - began > ANNOUNCE_SECONDS:
                self._progress.message("waiting for the upload of the last checkpoint")
                is_announced = True
            self._join(POLL_SECONDS)
        self._is_late = self._is_alive()
        problem = "the upload did not end in time" if self._is_late else self._failure and _headline(self._failure)
        if problem:
            self._progress.warning(f"other machines cannot continue from the last checkpoint: {problem}")
        return not problem

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End the upload in progress, and all others."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._join(min(seconds, POLL_SECONDS) if self._is_late else min(seconds, seconds_left()))
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _end(self) -> None:
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def _report(self) -> None:
        """Report the first of several failures."""
        with self._changed:
            failure, is_new = self._failure, self._failure is not None and not self._is_reported
            self._is_reported = failure is not None
        if is_new and failure is not None:
            self._progress.warning(f"a checkpoint was not uploaded, and the job continues: {_headline(failure)}")

    def _work(self) -> None:
        while (snapshot := self._next()) is not None:
            failure: Exception | None = None
            try:
                self._upload(snapshot)
            except _StoppedError:
                return
            except Exception as error:  # also of a file that another process deleted
                failure = error
            with self._changed:
                self._failure = failure
                is_newest = self._waiting is None
                if failure is not None and is_newest and self._is_ending:
                    return
                if failure is not None and is_newest:
                    self._waiting = snapshot  # again, unless a newer one replaces it
                    self._changed.wait(RETRY_SECONDS)
                    continue
            snapshot.delete()

    def _next(self) -> Snapshot | None:
        """Wait for the next snapshot; return None if there is none any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._is_ending or self._is_stopped)
            snapshot, self._waiting = self._waiting, None
            return None if self._is_stopped else snapshot

    def _check(self, count: int = 0) -> None:
        if count > 0:
            self._progressed_at = time.monotonic()
        if self._is_stopped:
            raise _StoppedError

    def _upload(self, snapshot: Snapshot) -> None:
        """Upload the content of new files, then a record, and delete what only older records need."""
        known = {file.sha256: file for saved in self._kept for file in saved.files}
        files = []
        for path, (size, changed, inode) in sorted(snapshot.state.items()):
            self._check()
            source, status = snapshot.folder / path, (size, changed, inode)
            if status not in self._hashes:
                self._hashes[status] = file_sha256(source)
            sha256 = self._hashes[status]
            file = SavedFile(path=path, size=size, sha256=sha256, attempt=self._attempt)
            if sha256 in known:
                file = file.model_copy(update={"attempt": known[sha256].attempt})
            elif file.key not in self._objects:
                self._remote.upload(source, file.key, self._check)
                self._objects.add(file.key)
            files.append(file)
        self._check()
        if state_of(snapshot.folder) != snapshot.state:
            return  # the component wrote into a file: the next snapshot has the new content
        if self._kept and self._kept[-1].files == tuple(files):
            return
        saved = SavedCheckpoint(record_name(self._number + 1, self._attempt), tuple(files))
        self._remote.write(saved)
        self._on_record(saved.name)
        self._number += 1
        self._objects.add(saved.name)
        self._kept = [*self._kept[-1:], saved]
        self._clean()

    def _clean(self) -> None:
        needed = {key for saved in self._kept for key in saved.keys}
        if unneeded := self._objects - needed:
            with suppress(JobError):  # the next one tries again
                self._remote.delete(unneeded)
                self._objects = needed


def _headline(failure: Exception) -> str:
    return failure.headline if isinstance(failure, JobError) else first_line(failure)

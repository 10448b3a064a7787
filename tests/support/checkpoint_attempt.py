"""A small training in a separate process; another machine continues from its checkpoints.

    JOB_CACHE=... python -m tests.support.checkpoint_attempt URL STEPS

It prints the step from which it continues, and at the end its state, which depends on all steps. Each checkpoint is
uploaded before the next step, so that a test can end the process in each request.
"""

import hashlib
import sys
import time
from pathlib import Path

from components.base.progress import NoProgress
from components.io.atomic import rename_durably
from components.object_storage import ObjectUrl
from job.store.remote.checkpoints import number_of
from job.store.remote.root import RemoteRoot
from job.store.remote.store import RemoteStore

SLOT, FINGERPRINT = "trainer", "0" * 64
FOLDER = f"artifacts/{SLOT}/{FINGERPRINT}.partial"
KEPT = 2


class Printed(NoProgress):
    """Prints warnings."""

    def warning(self, text: str) -> None:
        print("warning:", text, flush=True)


def state_after(steps: int) -> bytes:
    """Return the state after a number of steps."""
    state = b"initial"
    for step in range(1, steps + 1):
        state = advance(state, step)
    return state


def advance(state: bytes, step: int) -> bytes:
    """Return the state after one more step."""
    return hashlib.sha256(state + str(step).encode()).digest() * 1000


def newest(folder: Path) -> tuple[int, bytes]:
    """Return step and state of the newest checkpoint; the files of each must be complete."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in found:
        assert path.name == (path / "record").read_text()
    return (int(found[-1].name), (found[-1] / "state").read_bytes()) if found else (0, state_after(0))


def write(folder: Path, step: int, state: bytes) -> None:
    """Write a checkpoint, and delete old ones."""
    draft = folder.with_name("files-draft")
    draft.mkdir()
    (draft / "state").write_bytes(state)
    (draft / "record").write_text(f"{step:05}")
    folder.mkdir(exist_ok=True)
    rename_durably(draft, folder / f"{step:05}")
    for old in sorted(folder.iterdir())[:-KEPT]:
        for file in old.iterdir():
            file.unlink()
        old.rmdir()


def main(url: str, steps: int) -> None:
    store = RemoteStore(RemoteRoot.connect(ObjectUrl.parse(url)))
    remote = store.checkpoints(SLOT, FINGERPRINT)
    with store.staged(SLOT, FINGERPRINT, Printed()) as staging:
        step, state = newest(staging.checkpoints)
        number = max(map(number_of, remote.list()), default=0)
        print(step, flush=True)
        while step < steps:
            step += 1
            state = advance(state, step)
            write(staging.checkpoints, step, state)
            staging.checkpoint_saved()
            number += 1
            while number not in map(number_of, remote.list()):
                time.sleep(0.002)
        print(hashlib.sha256(state).hexdigest(), flush=True)
        staging.discard_checkpoints()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

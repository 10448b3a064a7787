"""The checkpoint from which all workers of a cluster resume: that of worker 0, the only one that saves checkpoints."""

import io

import numpy as np

from components.base.progress import Progress
from components.trainer.checkpoint import Arrays, Checkpoint, CheckpointStore

RECORD = "record"
"""Name of the record among the arrays."""
Found = tuple[Checkpoint, Arrays] | None


class SharedCheckpoint:
    """Resumes from the checkpoint that all workers received, and saves to the checkpoints of this worker."""

    def __init__(self, found: Found, store: CheckpointStore) -> None:
        self.found = found
        self.store = store

    def write(self, record: Checkpoint, arrays: Arrays) -> None:
        self.store.write(record, arrays)

    def newest(self, progress: Progress) -> Found:  # noqa: ARG002
        return self.found


def encode(found: Found) -> bytes:
    """Return the bytes of a checkpoint; empty if there is none."""
    if found is None:
        return b""
    record, arrays = found
    buffer = io.BytesIO()
    text = np.frombuffer(record.model_dump_json().encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, **{RECORD: text}, **arrays)
    return buffer.getvalue()


def decode(content: bytes) -> Found:
    """Return the checkpoint from the bytes of `encode`."""
    if not content:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        arrays = dict(loaded)
    return Checkpoint.from_bytes(arrays.pop(RECORD).tobytes(), where="the checkpoint of worker 0"), arrays

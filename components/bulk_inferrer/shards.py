"""Finished shards: checkpoints, from which the next attempt continues.

Each consists of a Parquet file, such as `00003.parquet`, and a record, `00003.json`, which is written last.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from components.artifacts import Model, Predictions, PredictionShard, SkippedImages, Statement
from components.base.errors import DataError
from components.base.hashing import file_sha256
from components.bulk_inferrer.inputs import utf8
from components.bulk_inferrer.shard_file import ShardFile
from components.inference.preprocessing.input_files import UnreadableError
from components.inference.preprocessing.read_images import START, Position
from components.io.atomic import flush, link_or_copy, write_atomically

FOLDER = "predictions"
SKIPPED_FILE = "skipped.parquet"
SKIPPED_SCHEMA = pa.schema([("path", pa.string()), ("row", pa.int64()), ("reason", pa.string())])
MAX_REASONS = 20
"""Reasons in the statement; `skipped.parquet` has all."""


class Skipped(Statement):
    """An image or file without a prediction."""

    path: str
    row: int | None
    reason: str


class ShardRecord(Statement):
    """The content of the record of a finished shard."""

    fingerprint: str
    next_file: int
    next_image: int
    """Where reading continues (see `Position`)."""
    rows: int
    sha256: str
    """Of the Parquet file."""
    label_counts: tuple[int, ...]
    skipped: tuple[Skipped, ...]


class Shards:
    """The finished shards in a folder, and the one in progress."""

    def __init__(
        self, folder: Path, fingerprint: str, class_names: Sequence[str], *, on_finish: Callable[[], None]
    ) -> None:
        """Args:
        on_finish: called after a shard is finished.
        """
        self._on_finish = on_finish
        self.finished: list[ShardRecord] = []
        self._folder, self._fingerprint, self._class_names = folder, fingerprint, class_names
        self._skipped: list[Skipped] = []
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def position(self) -> Position:
        """Where reading continues after the finished shards."""
        return Position(self.finished[-1].next_file, self.finished[-1].next_image) if self.finished else START

    def resume(self) -> None:
        """Find the finished shards of earlier attempts; delete everything else in the folder."""
        while (record := self._read(len(self.finished))) is not None:
            self.finished.append(record)
        kept = {self._path(number, kind) for number in range(len(self.finished)) for kind in ("parquet", "json")}
        for path in self._folder.iterdir():
            if path not in kept:
                path.unlink()

    def begin(self) -> ShardFile:
        """Return a file for the next shard; it also includes the images that are skipped until it is finished."""
        self._skipped = []
        return ShardFile(self._draft, self._class_names)

    def skip(self, error: UnreadableError) -> int:
        """Add an image without a prediction to the shard in progress; return the number of these images."""
        self._skipped.append(Skipped(path=utf8(error.path), row=error.row, reason=error.reason))
        return len(self._skipped)

    def finish(self, file: ShardFile, position: Position) -> None:
        """Finish the shard in progress, whose file is closed; the next one continues reading at `position`."""
        number = len(self.finished)
        flush(self._draft)
        record = ShardRecord(
            fingerprint=self._fingerprint,
            next_file=position.file,
            next_image=position.images,
            rows=file.rows,
            sha256=file_sha256(self._draft),
            label_counts=tuple(file.label_counts.tolist()),
            skipped=tuple(self._skipped),
        )
        self._draft.replace(self._path(number, "parquet"))
        write_atomically(self._path(number, "json"), record.model_dump_json())
        self.finished.append(record)
        self._on_finish()

    def write(self, output: Path, model: Model) -> Predictions:
        """Copy the files of the finished shards to the output, and return the artifact."""
        (output / FOLDER).mkdir()
        numbers = [number for number, record in enumerate(self.finished) if record.rows]
        shards = []
        for place, number in enumerate(numbers):
            name = f"{FOLDER}/predictions-{place:05}-of-{len(numbers):05}.parquet"
            link_or_copy(self._path(number, "parquet"), output / name)
            shards.append(PredictionShard(file=name, rows=self.finished[number].rows))
        reasons = Counter(one.reason for record in self.finished for one in record.skipped)
        if reasons:
            self._write_skipped(output / SKIPPED_FILE)
        if not shards:
            shutil.rmtree(self._folder)  # there is nothing to continue
            raise _nothing_predicted(self.finished)
        return Predictions(
            shards=tuple(shards),
            predicted=sum(shard.rows for shard in shards),
            skipped=reasons.total(),
            skipped_reasons=tuple(
                SkippedImages(reason=reason, count=count)
                for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:MAX_REASONS]
            ),
            skipped_file=SKIPPED_FILE if reasons else None,
            class_names=model.class_names,
            label_counts=tuple(map(sum, zip(*(record.label_counts for record in self.finished), strict=True))),
            weights_sha256=model.weights_sha256,
        )

    def _write_skipped(self, path: Path) -> None:
        with pq.ParquetWriter(path, SKIPPED_SCHEMA, compression="zstd") as writer:
            for record in self.finished:
                rows = [one.model_dump() for one in record.skipped]
                writer.write_table(pa.Table.from_pylist(rows, SKIPPED_SCHEMA))

    def _read(self, number: int) -> ShardRecord | None:
        """Return the record of a shard if it is complete, undamaged and of this fingerprint."""
        try:
            record = ShardRecord.model_validate_json(self._path(number, "json").read_bytes())
            if record.fingerprint == self._fingerprint and file_sha256(self._path(number, "parquet")) == record.sha256:
                return record
        except (OSError, ValidationError):
            pass
        return None

    @property
    def _draft(self) -> Path:
        return self._folder / "draft"

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number:05}.{kind}"


def _nothing_predicted(finished: Sequence[ShardRecord]) -> DataError:
    first = next(one for record in finished for one in record.skipped)
    return DataError(
        f"no image can be read: {first.path} {first.reason}",
        expected="at least one image to predict",
        remedy="correct the paths; nothing was sealed",
    )

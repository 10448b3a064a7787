"""TensorBoard: a run as event files.

<directory>/<run>/              figures, configuration, lineage, hyperparameters
<directory>/<run>/train/        `loss`, `accuracy` and `learning_rate`, by epoch
<directory>/<run>/validation/   `loss` and `accuracy`, by epoch
<directory>/<run>/test/         all test metrics, at the epoch that was kept

A run is named by its id; if the user gave it a name, that precedes the id.
A tag is one chart, and each of these folders a line in it, as with Keras's own callback. The files are not in the
folder of the run's record, since TensorBoard would follow `runs/latest` too and show the newest run twice.
"""

import json
import shlex
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from components.artifacts import Evaluation, Examples, Figures, Model
from components.base.markdown import fenced, table
from job.config.tracking import TensorBoardConfig
from job.store.records import RunRecord, StepRecord
from job.store.root import address, root_at
from job.store.sealed import SealedArtifact
from job.tracking.tracker import parameters

PARTS = ("", "train", "validation", "test")
"""Folders of event files."""
FILE_PREFIX = "events.out.tfevents."
SHARED_METRICS = ("loss", "accuracy")
"""Test metrics in the same chart as those of training; the others have the prefix `test/`."""
HYPERPARAMETERS = ("seed", "trainer.")
"""Prefixes of the parameters in the hparams dashboard; the text `configuration` contains all."""
HYPERPARAMETER_FIELDS = {bool: "bool_value", int: "number_value", float: "number_value", str: "string_value"}
"""Fields of a protocol buffer by type; null is left out."""
OUTCOME = {"outcome", "exit_code", "blessed", "rubber_stamped", "checks", "seconds", "cpu_seconds", "failure", "report"}
"""Fields of a run's record in the text `outcome`."""
STATUS = {"succeeded": api_pb2.STATUS_SUCCESS, "not_blessed": api_pb2.STATUS_SUCCESS}


class TensorBoardTracker:
    """Writes the event files of one run; every method raises OSError if that fails."""

    def __init__(self, config: TensorBoardConfig, root: Path, name: str) -> None:
        folder = config.directory or root / "tensorboard"
        self.location = f"tensorboard --logdir {shlex.quote(address(folder))}"
        self._root = root_at(root)
        self._is_below_root = config.directory is None
        self._directory = folder / name
        self._files: dict[str, Path] = {}
        self._best_epoch = 0
        self._source: dict[str, Any] = {}

    def begin(self, record: RunRecord) -> None:
        if record.continues:  # this attempt writes again what the interrupted one wrote, maybe under another name
            earlier = self._directory.parent.glob(f"*{record.continues}")
            self._directory = next(earlier, self._directory)
            for part in PARTS:
                for path in (self._directory / part).glob(f"{FILE_PREFIX}*"):
                    path.unlink()
            if self._is_below_root:
                self._root.removed(self._directory)
        texts: dict[str, Any] = {"configuration": record.config, "environment": record.environment}
        texts |= {"note": record.note} if record.note else {}
        self._write(_session_start(record, self._directory.name), *(_text(tag, texts[tag]) for tag in texts))

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        validation = {name for name in metrics if name.startswith("val_")}
        for part, names in (("train", metrics.keys() - validation), ("validation", validation)):
            if names:
                values = [_scalar(name.removeprefix("val_"), metrics[name]) for name in sorted(names)]
                self._write(*values, part=part, step=epoch)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:  # noqa: ARG002
        match sealed.manifest.artifact:
            case Examples() as examples:
                self._source = examples.source.model_dump(mode="json")
            case Model() as model:
                self._best_epoch = model.best_epoch
            case Evaluation() as evaluation:
                metrics = evaluation.metrics.model_dump(mode="json")
                values = [
                    _scalar(name if name in SHARED_METRICS else f"test/{name}", value)
                    for name, value in metrics.items()
                    if isinstance(value, float)
                ]
                self._write(*values, part="test", step=self._best_epoch)
            case Figures() as figures:
                sealed.fetch()
                for figure in figures.figures:
                    content = (sealed.directory / figure.file).read_bytes()
                    if content.startswith(b"\x89PNG\r\n\x1a\n"):
                        width, height = struct.unpack(">II", content[16:24])  # of the IHDR chunk, always the first
                        image = Summary.Image(width=width, height=height, encoded_image_string=content)
                        labels = SummaryMetadata(display_name=figure.title, summary_description=figure.alt)
                        self._write(Summary.Value(tag=figure.name, image=image, metadata=labels), step=self._best_epoch)

    def end(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        steps = [(step.component, step.status, step.digest, step.fingerprint) for step in record.steps]
        status = STATUS.get(record.outcome, api_pb2.STATUS_FAILURE)
        end = SessionEndInfo(status=status, end_time_secs=time.time())
        self._write(
            _text("lineage", table(("step", "status", "digest", "fingerprint"), steps)),
            _text("source", self._source),
            _text("outcome", record.model_dump(mode="json", include=OUTCOME)),
            _session(hparams_metadata.SESSION_END_INFO_TAG, session_end_info=end),
            step=self._best_epoch,
        )
        if self._is_below_root:
            for path in self._files.values():
                self._root.wrote(path)

    def abort(self, reason: str) -> None: ...  # event files have no state "running"

    def _write(self, *values: Any, part: str = "", step: int = 0) -> None:
        if part not in self._files:
            folder = self._directory / part
            folder.mkdir(parents=True, exist_ok=True)
            self._files[part] = folder / f"{FILE_PREFIX}{int(time.time())}.{socket.gethostname()}"
            self._append(part, Event(file_version="brain.Event:2", wall_time=time.time()))
        self._append(part, Event(step=step, summary=Summary(value=values), wall_time=time.time()))

    def _append(self, part: str, event: Any) -> None:
        # TensorBoard's EventFileWriter imports TensorFlow wherever that is installed, and writes in a thread that
        # prints a traceback when the disk is full.
        with self._files[part].open("ab") as file:  # per event: a failed write raises, and no file stays open
            RecordWriter(file).write(event.SerializeToString())


def _scalar(tag: str, value: float) -> Any:
    return Summary.Value(tag=tag, simple_value=value)


def _text(tag: str, content: dict[str, Any] | str) -> Any:
    markdown = content if isinstance(content, str) else fenced(json.dumps(content, indent=2), "")
    return Summary.Value(
        tag=tag,
        metadata=text_metadata.create_summary_metadata(display_name=tag, description=""),
        tensor=TensorProto(dtype=DT_STRING, string_val=[markdown.encode()], tensor_shape=TensorShapeProto()),
    )


def _session_start(record: RunRecord, name: str) -> Any:
    info = SessionStartInfo(group_name=name, start_time_secs=record.started.timestamp())
    for name, value in parameters(record.config).items():
        if name.startswith(HYPERPARAMETERS) and (field := HYPERPARAMETER_FIELDS.get(type(value))):
            setattr(info.hparams[name], field, value)
    return _session(hparams_metadata.SESSION_START_INFO_TAG, session_start_info=info)


def _session(tag: str, **info: Any) -> Any:
    metadata = hparams_metadata.create_summary_metadata(HParamsPluginData(**info))
    return Summary.Value(tag=tag, metadata=metadata, tensor=hparams_metadata.NULL_TENSOR)

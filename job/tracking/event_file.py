"""TensorBoard's event files, written with its own protocol buffers, and without TensorFlow.

Its `EventFileWriter` would import TensorFlow wherever that is installed, and writes in a thread that
keeps its errors to itself; a record is all that it takes (see `RecordWriter`).
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "brain.Event:2"
PNG = b"\x89PNG\r\n\x1a\n"


class EventFile:
    """One event file, which is one row of TensorBoard's list of runs: its name is the folder's.

    Args:
        directory: where to; made if it is not there.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._append(Event(wall_time=time.time(), file_version=VERSION))

    def write(self, *values: Any, step: int = 0) -> None:
        """Write summary values, as the functions below make them, of one step; a reader sees them at once.

        Raises:
            OSError: if that cannot be.
        """
        self._append(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _append(self, event: Any) -> None:
        # Opened anew each time: nothing is ever left open, or half-written without an error.
        with self._path.open("ab") as file:
            RecordWriter(file).write(event.SerializeToString())


def scalar(tag: str, value: float) -> Any:
    """Return a number."""
    return Summary.Value(tag=tag, simple_value=value)


def picture(tag: str, png: bytes, *, title: str, description: str) -> Any:
    """Return a PNG file's content, as it is."""
    width, height = struct.unpack(">II", png[16:24])  # of the IHDR chunk, which is always the first
    return Summary.Value(
        tag=tag,
        image=Summary.Image(width=width, height=height, encoded_image_string=png),
        metadata=SummaryMetadata(display_name=title, summary_description=description),
    )


def text(tag: str, markdown: str) -> Any:
    """Return a text in Markdown."""
    return Summary.Value(
        tag=tag,
        metadata=text_metadata.create_summary_metadata(display_name=tag, description=""),
        tensor=TensorProto(dtype=DT_STRING, string_val=[markdown.encode()], tensor_shape=TensorShapeProto()),
    )


def session_start(hyperparameters: dict[str, Any], *, name: str, started: float) -> Any:
    """Return the beginning of a run for the hparams dashboard.

    Args:
        hyperparameters: numbers, truth values and texts; None is left out.
        name: of the run, which is a group of its own there.
        started: seconds since 1970.
    """
    info = SessionStartInfo(group_name=name, start_time_secs=started)
    for key, value in hyperparameters.items():
        match value:
            case bool():
                info.hparams[key].bool_value = value
            case int() | float():
                info.hparams[key].number_value = value
            case str():
                info.hparams[key].string_value = value
    return _session(hparams_metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=info))


def session_end(status: int) -> Any:
    """Return the end of a run for the hparams dashboard; `status` is of `tensorboard.plugins.hparams.api_pb2`."""
    info = SessionEndInfo(status=status, end_time_secs=time.time())
    return _session(hparams_metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=info))


def _session(tag: str, data: Any) -> Any:
    return Summary.Value(
        tag=tag, metadata=hparams_metadata.create_summary_metadata(data), tensor=hparams_metadata.NULL_TENSOR
    )

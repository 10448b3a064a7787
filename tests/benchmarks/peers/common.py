"""Shared by the peer scripts: command line, reader of IDX files, stopwatch, and the JSON result."""

from __future__ import annotations

import argparse
import gzip
import json
import struct
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Mnist(NamedTuple):
    """The four files: images are uint8 [count, 28, 28], labels uint8 [count]."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def read_mnist(folder: Path) -> Mnist:
    """Read the four original MNIST files, each plain or .gz."""
    return Mnist(
        *(
            read_idx(folder / f"{split}-{content}-ubyte")
            for split in ("train", "t10k")
            for content in ("images-idx3", "labels-idx1")
        )
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or with .gz appended to its name."""
    zipped = path.with_name(f"{path.name}.gz")
    content = path.read_bytes() if path.exists() else gzip.decompress(zipped.read_bytes())
    dimensions = content[3]
    shape = struct.unpack(f">{dimensions}i", content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def make_parser(description: str | None, *, epochs: int) -> argparse.ArgumentParser:
    """Return a parser with the options of every peer."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, help="folder of the four MNIST IDX files, plain or .gz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=epochs, help=f"maximum (as published: {epochs})")
    return parser


class Stopwatch:
    """Sums wall time, and CPU time of all threads of this process, between `start` and `stop`."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._started = (0.0, 0.0)

    def start(self) -> None:
        self._started = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        self.seconds += time.perf_counter() - self._started[0]
        self.cpu_seconds += time.process_time() - self._started[1]

    def to_json(self) -> dict[str, float]:
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}


def print_result(*, accuracy: float | None, training: Stopwatch, parameters: int, epochs: int, **more: Any) -> None:
    """Print the result as the last line: a JSON object.

    Args:
        accuracy: on the test images; None for a script that does not train to the end.
        training: the time of training.
        parameters: of the network.
        epochs: trained epochs.
        more: values of this peer only.
    """
    result = {"accuracy": accuracy, "training": training.to_json(), "parameters": parameters, "epochs": epochs}
    print(json.dumps(result | more), flush=True)

"""Files that are loaded cannot run code: no pickle, and Keras in safe mode."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Model, Stored, TransformedExamples
from components.base.errors import DataError
from components.inference.predictor import load_predictor
from components.inference.split_images import read_scaled
from components.testing.contract import make_inputs


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_does_not_load_a_pickle_from_a_split(tmp_path: Path) -> None:
    transformed: Stored[TransformedExamples] = make_inputs(tmp_path)[TransformedExamples]
    split = transformed.artifact.splits.test
    np.save(transformed.directory / split.shards[0].labels, np.array([Trap(tmp_path / "sprung")], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_scaled(transformed, split)
    assert not (tmp_path / "sprung").exists()


def test_does_not_load_a_pickle_from_a_linear_model(tmp_path: Path) -> None:
    model: Stored[Model] = make_inputs(tmp_path)[Model]
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.savez(model.directory / model.artifact.file, weights=trap, bias=trap)
    with pytest.raises(DataError, match="cannot be loaded: .*allow_pickle=False"):
        load_predictor(model)
    assert not (tmp_path / "sprung").exists()


def test_does_not_run_code_from_a_keras_model(tmp_path: Path) -> None:
    import keras

    model: Stored[Model] = make_inputs(tmp_path)[Model]
    sprung = tmp_path / "sprung"

    # A lambda, not a named function: the file contains its bytecode.
    spring = eval(f"lambda images: (__import__('pathlib').Path({str(sprung)!r}).touch(), images)[1]")  # noqa: S307
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Lambda(spring)])
    network.save(tmp_path / "trap.keras")
    sprung.unlink()
    trapped = model.artifact.model_copy(update={"format": "keras", "file": "trap.keras"})
    with pytest.raises(DataError, match="cannot be loaded: .*safe"):
        load_predictor(Stored(trapped, tmp_path))
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an archive", b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_is_no_model_is_bad_data(tmp_path: Path, content: bytes) -> None:
    model: Stored[Model] = make_inputs(tmp_path)[Model]
    (model.directory / model.artifact.file).write_bytes(content)
    with pytest.raises(DataError, match="cannot be loaded"):
        load_predictor(model)

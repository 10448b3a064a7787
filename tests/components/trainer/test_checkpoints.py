"""Checkpoints: whole or not there, two of them, of this training or not used; and a training resumed from one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context, Model, Stored, Trainer, TransformedExamples
from components.artifacts import Epoch
from components.base.errors import IntegrityError, TerminationError
from components.base.progress import NoProgress
from components.testing.contract import make_inputs
from components.trainer.checkpoint import Checkpoint, Checkpoints
from components.trainer.early_stopping import BestEpoch, EarlyStopping
from tests.support.termination import TerminationAfter

ROW = Epoch(epoch=1, loss=0.5, accuracy=0.8, val_loss=0.4, val_accuracy=0.9, learning_rate=0.001)


class Listener(NoProgress):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.places: list[tuple[int, int]] = []
        self.history: tuple[Epoch, ...] = ()

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:
        self.places.append((epoch, step))
        self.history = tuple(history)


def record(epoch: int, step: int) -> Checkpoint:
    return Checkpoint(
        epoch=epoch,
        step=step,
        done=False,
        history=(ROW,),
        best=BestEpoch(epoch=1, value=0.4, waited=0),
        machine="a processor",
    )


def arrays(value: float) -> dict[str, Any]:
    return {"network/000/kernel": np.full((3, 2), value, np.float32), "optimizer/000/iteration": np.int64(7)}


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", guard="this training")


def names(checkpoints: Checkpoints) -> list[str]:
    return sorted(path.name for path in checkpoints.directory.iterdir())


def test_the_newest_is_read_back_as_it_was_written_and_the_previous_one_stays(checkpoints: Checkpoints) -> None:
    assert checkpoints.newest(NoProgress()) is None
    for epoch, step in ((2, 99), (2, 100), (3, 5)):
        checkpoints.write(record(epoch, step), arrays(epoch + step / 1000))
    assert names(checkpoints) == ["epoch-0002-step-00100", "epoch-0003-step-00005"]
    found = checkpoints.newest(NoProgress())
    assert found is not None
    read, state = found
    assert (read.epoch, read.step, read.history, read.best) == (3, 5, (ROW,), record(3, 5).best)
    assert state.keys() == arrays(0).keys()
    assert all(np.array_equal(state[name], array) for name, array in arrays(3.005).items())


def test_a_person_can_read_where_training_is(checkpoints: Checkpoints) -> None:
    checkpoints.write(record(3, 120), arrays(0))
    text = (checkpoints.directory / "epoch-0003-step-00120" / "checkpoint.json").read_text()
    said = json.loads(text)
    assert (said["epoch"], said["step"], said["guard"]) == (3, 120, "this training")
    assert said["arrays"]["network/000/kernel"] == "float32 [3, 2]"
    assert said["history"][0]["val_accuracy"] == 0.9
    assert text.count("\n") > 20, "indented"


@pytest.mark.parametrize("file", ["state.npz", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "lose"])
def test_a_damaged_newest_falls_back_to_the_previous_one_with_a_warning(
    checkpoints: Checkpoints, file: str, damage: str
) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    checkpoints.write(record(1, 6), arrays(2))
    path = checkpoints.directory / "epoch-0001-step-00006" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "lose":
        path.unlink()
    else:
        path.write_bytes({"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b""}[damage])
    listener = Listener()
    found = checkpoints.newest(listener)
    assert found is not None
    assert found[0].step == 5
    assert found[1]["network/000/kernel"][0, 0] == 1
    (warning,) = listener.warnings
    assert "epoch-0001-step-00006" in warning
    assert names(checkpoints) == ["epoch-0001-step-00005"], "so that the next one does not count it as previous"


def test_every_flipped_byte_of_a_record_is_found(checkpoints: Checkpoints) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    content = (checkpoints.directory / "epoch-0001-step-00005" / "checkpoint.json").read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 4
        try:
            read = Checkpoint.from_bytes(bytes(changed), where="here")
        except IntegrityError:
            continue
        assert read == Checkpoint.from_bytes(content, where="here"), "white space at most"


def test_a_checkpoint_of_another_training_is_not_used(checkpoints: Checkpoints) -> None:
    Checkpoints(checkpoints.directory, guard="another").write(record(1, 5), arrays(1))
    listener = Listener()
    assert checkpoints.newest(listener) is None
    assert "belongs to another training" in listener.warnings[0]


def test_a_draft_that_a_killed_process_left_does_no_harm(checkpoints: Checkpoints) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    (checkpoints.directory / "draft").mkdir()
    (checkpoints.directory / "draft" / "state.npz").write_bytes(b"half")
    found = checkpoints.newest(NoProgress())
    assert found is not None
    assert found[0].step == 5
    checkpoints.write(record(1, 6), arrays(2))
    assert names(checkpoints) == ["epoch-0001-step-00005", "epoch-0001-step-00006"]


def test_what_does_not_read_back_is_told_while_the_previous_one_is_still_there(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    checkpoints.write(record(1, 6), arrays(2))
    write = Checkpoints._write

    def spoiled(self: Checkpoints, draft: Path, stated: Checkpoint, state: Any) -> Checkpoint:
        signed = write(self, draft, stated, state)
        (draft / "state.npz").write_bytes(b"what the disk made of it")
        return signed

    monkeypatch.setattr(Checkpoints, "_write", spoiled)
    with pytest.raises(IntegrityError, match=r"state\.npz has been changed"):
        checkpoints.write(record(1, 7), arrays(3))
    assert names(checkpoints)[:2] == ["epoch-0001-step-00005", "epoch-0001-step-00006"]


def test_early_stopping_keeps_the_best_epoch_and_loses_patience() -> None:
    class Network:
        def __init__(self, value: int) -> None:
            self.value = value

        def get_weights(self) -> list[int]:
            return [self.value]

    stopping = EarlyStopping("val_loss", patience=2)
    for epoch, loss in enumerate((0.5, 0.3, 0.4, 0.3), start=1):
        assert not stopping.should_stop
        stopping.epoch_end(ROW.model_copy(update={"epoch": epoch, "val_loss": loss}), Network(epoch))
    assert stopping.should_stop
    assert stopping.best == BestEpoch(epoch=2, value=0.3, waited=2)
    assert stopping.weights == [2]
    higher = EarlyStopping("val_accuracy", patience=0)
    for epoch, accuracy in enumerate((0.5, 0.6, 0.6), start=1):
        assert not higher.should_stop
        higher.epoch_end(ROW.model_copy(update={"epoch": epoch, "val_accuracy": accuracy}), Network(epoch))
    assert higher.should_stop
    assert higher.weights == [2]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Stored[TransformedExamples]:
    made: Stored[TransformedExamples] = make_inputs(tmp_path_factory.mktemp("inputs"))[TransformedExamples]
    return made


class Looking(Listener):
    """Looks at what is on the disk when it hears that an epoch ended."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.saved: list[list[str]] = []
        self._directory = directory

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:  # noqa: ARG002
        self.saved.append(sorted(path.name for path in self._directory.iterdir()))


def train(
    folder: Path, transformed: Stored[TransformedExamples], times: int, listener: Listener, **checkpoint: float
) -> Model:
    """Train until it is done, or asked to end after so many looks."""
    config = {
        "network": {"filters": (4, 4, 4), "dense": (8, 8), "dropout": 0.3, "batch_normalization": True},
        "augmentation": {"rotation": 10.0, "zoom": 0.1, "shear": 0.1, "shift": 0.1},
        "epochs": 4,
        "batch_size": 4,
        "patience": 3,
        "checkpoint": checkpoint,
    }
    output = folder / "output"
    shutil.rmtree(output, ignore_errors=True)  # what an attempt that was ended left goes, but for its checkpoints
    output.mkdir(parents=True)
    context = Context(
        output=output,
        progress=listener,
        termination=TerminationAfter(1 + times),  # the first look is before training
        checkpoints=folder / "checkpoints",
        fingerprint="this training",
    )
    return Trainer(Trainer.Config.model_validate(config)).run(context, transformed=transformed)


def test_a_training_ended_in_the_middle_of_epochs_and_between_them_gives_the_same_model(
    tmp_path: Path, transformed: Stored[TransformedExamples]
) -> None:
    undisturbed = train(tmp_path / "undisturbed", transformed, 10**6, Listener())
    listener = Listener()
    for times in (2, 1, 2):  # the second in the epoch that was resumed in its middle, the third at its end
        with pytest.raises(TerminationError, match="the job was asked to end"):
            train(tmp_path / "ended", transformed, times, listener)
    resumed = train(tmp_path / "ended", transformed, 10**6, listener)
    assert resumed == undisturbed, "weights, history, all that the artifact states"
    assert listener.places == sorted(listener.places)
    assert len(set(listener.places)) == 3
    assert listener.places[0][0] == listener.places[1][0]
    assert listener.places[2][1] == 0
    assert any(step for _, step in listener.places), "one of them in the middle of an epoch"
    assert listener.history == resumed.history[: listener.places[2][0] - 1], "it hears of the epochs before"
    over = Listener()
    assert train(tmp_path / "ended", transformed, 10**6, over) == undisturbed, "what is done is only written"
    assert over.places == [(5, 0)]


def test_an_epoch_is_saved_before_it_is_told(tmp_path: Path, transformed: Stored[TransformedExamples]) -> None:
    looking = Looking(tmp_path / "checkpoints")
    train(tmp_path, transformed, 10**6, looking, every_seconds=1e-6)
    assert [saved[-1] for saved in looking.saved] == [f"epoch-000{epoch}-step-00000" for epoch in (2, 3, 4, 5)]


def test_another_machine_is_told(tmp_path: Path, transformed: Stored[TransformedExamples]) -> None:
    with pytest.raises(TerminationError):
        train(tmp_path, transformed, 0, Listener())
    checkpoints = Checkpoints(tmp_path / "checkpoints", guard="this training")
    found = checkpoints.newest(NoProgress())
    assert found is not None
    checkpoints.write(found[0].model_copy(update={"machine": "GPU: another"}), found[1])
    listener = Listener()
    with pytest.raises(TerminationError):
        train(tmp_path, transformed, 0, listener)
    assert "was made on GPU: another, and training goes on on" in listener.warnings[0]

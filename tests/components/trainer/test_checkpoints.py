"""Checkpoints: complete or absent, at most two, only for the same training; and resuming from them."""

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
from components.base.termination import Paused
from components.testing.contract import make_inputs
from components.trainer.checkpoint import Checkpoint, Checkpoints
from components.trainer.early_stopping import BestEpoch, EarlyStopping
from tests.support.termination import TerminationAfter

ROW = Epoch(epoch=1, loss=0.5, accuracy=0.8, val_loss=0.4, val_accuracy=0.9, learning_rate=0.001)


class Recorder(NoProgress):
    """Records warnings and resume positions."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.positions: list[tuple[int, int]] = []
        self.history: tuple[Epoch, ...] = ()

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:
        self.positions.append((epoch, step))
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
    return Checkpoints(tmp_path / "checkpoints", fingerprint="this training")


def names(checkpoints: Checkpoints) -> list[str]:
    return sorted(path.name for path in checkpoints.directory.iterdir())


def test_newest_reads_back_and_previous_one_stays(checkpoints: Checkpoints) -> None:
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


def test_record_is_readable_json(checkpoints: Checkpoints) -> None:
    checkpoints.write(record(3, 120), arrays(0))
    text = (checkpoints.directory / "epoch-0003-step-00120" / "checkpoint.json").read_text()
    content = json.loads(text)
    assert (content["epoch"], content["step"], content["fingerprint"]) == (3, 120, "this training")
    assert content["arrays"]["network/000/kernel"] == "float32 [3, 2]"
    assert content["history"][0]["val_accuracy"] == 0.9
    assert text.count("\n") > 20, "indented"


@pytest.mark.parametrize("file", ["state.npz", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "lose"])
def test_damaged_newest_falls_back_to_previous_with_warning(checkpoints: Checkpoints, file: str, damage: str) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    checkpoints.write(record(1, 6), arrays(2))
    path = checkpoints.directory / "epoch-0001-step-00006" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "lose":
        path.unlink()
    else:
        path.write_bytes({"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b""}[damage])
    recorder = Recorder()
    found = checkpoints.newest(recorder)
    assert found is not None
    assert found[0].step == 5
    assert found[1]["network/000/kernel"][0, 0] == 1
    (warning,) = recorder.warnings
    assert "epoch-0001-step-00006" in warning
    assert names(checkpoints) == ["epoch-0001-step-00005"], "deleted, so it does not count as previous"


def test_every_flipped_byte_of_a_record_is_detected(checkpoints: Checkpoints) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    content = (checkpoints.directory / "epoch-0001-step-00005" / "checkpoint.json").read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 4
        try:
            read = Checkpoint.from_bytes(bytes(changed), where="here")
        except IntegrityError:
            continue
        assert read == Checkpoint.from_bytes(content, where="here"), "white space at most"


def test_checkpoint_of_another_training_is_not_used(checkpoints: Checkpoints) -> None:
    Checkpoints(checkpoints.directory, fingerprint="another").write(record(1, 5), arrays(1))
    recorder = Recorder()
    assert checkpoints.newest(recorder) is None
    assert "belongs to another training" in recorder.warnings[0]


def test_draft_of_a_killed_process_is_harmless(checkpoints: Checkpoints) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    (checkpoints.directory / "draft").mkdir()
    (checkpoints.directory / "draft" / "state.npz").write_bytes(b"half")
    found = checkpoints.newest(NoProgress())
    assert found is not None
    assert found[0].step == 5
    checkpoints.write(record(1, 6), arrays(2))
    assert names(checkpoints) == ["epoch-0001-step-00005", "epoch-0001-step-00006"]


def test_failed_read_back_keeps_the_previous_checkpoints(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.write(record(1, 5), arrays(1))
    checkpoints.write(record(1, 6), arrays(2))
    write = Checkpoints._write_files

    def write_damaged(self: Checkpoints, draft: Path, record: Checkpoint, state: Any) -> None:
        write(self, draft, record, state)
        (draft / "state.npz").write_bytes(b"damaged by the disk")

    monkeypatch.setattr(Checkpoints, "_write_files", write_damaged)
    with pytest.raises(IntegrityError, match=r"state\.npz has been changed"):
        checkpoints.write(record(1, 7), arrays(3))
    assert names(checkpoints)[:2] == ["epoch-0001-step-00005", "epoch-0001-step-00006"]


def test_early_stopping_keeps_the_best_epoch() -> None:
    class Network:
        def __init__(self, value: int) -> None:
            self.value = value

        def get_weights(self) -> list[int]:
            return [self.value]

    stopping = EarlyStopping("val_loss", patience=2)
    for epoch, loss in enumerate((0.5, 0.3, 0.4, 0.3), start=1):
        assert not stopping.should_stop
        stopping.update(ROW.model_copy(update={"epoch": epoch, "val_loss": loss}), Network(epoch))
    assert stopping.should_stop
    assert stopping.best == BestEpoch(epoch=2, value=0.3, waited=2)
    assert stopping.weights == [2]
    higher = EarlyStopping("val_accuracy", patience=0)
    for epoch, accuracy in enumerate((0.5, 0.6, 0.6), start=1):
        assert not higher.should_stop
        higher.update(ROW.model_copy(update={"epoch": epoch, "val_accuracy": accuracy}), Network(epoch))
    assert higher.should_stop
    assert higher.weights == [2]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Stored[TransformedExamples]:
    made: Stored[TransformedExamples] = make_inputs(tmp_path_factory.mktemp("inputs"))[TransformedExamples]
    return made


class DirectoryRecorder(Recorder):
    """Records the checkpoints on disk when an epoch is reported."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.saved: list[list[str]] = []
        self._directory = directory

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:  # noqa: ARG002
        self.saved.append(sorted(path.name for path in self._directory.iterdir()))


def train(
    folder: Path,
    transformed: Stored[TransformedExamples],
    checks: int,
    recorder: Recorder,
    pause_after: int | None = None,
    **checkpoint: float,
) -> Model:
    """Train until done, until termination has been checked `checks` times, or until an epoch."""
    config = {
        "network": {"filters": (4, 4, 4), "dense": (8, 8), "dropout": 0.3, "batch_normalization": True},
        "augmentation": {"rotation": 10.0, "zoom": 0.1, "shear": 0.1, "shift": 0.1},
        "epochs": 4,
        "batch_size": 4,
        "patience": 3,
        "exports": [],
        "checkpoint": checkpoint,
    }
    output = folder / "output"
    shutil.rmtree(output, ignore_errors=True)  # remove the output of an interrupted attempt, but not its checkpoints
    output.mkdir(parents=True)
    context = Context(
        output=output,
        progress=recorder,
        termination=TerminationAfter(1 + checks),  # the first check is before training
        checkpoints=folder / "checkpoints",
        fingerprint="this training",
        should_pause=None if pause_after is None else lambda history: len(history) >= pause_after,
    )
    return Trainer(Trainer.Config.model_validate(config)).run(context, transformed=transformed)


@pytest.mark.thorough
def test_resumes_within_and_between_epochs_to_same_model(
    tmp_path: Path, transformed: Stored[TransformedExamples]
) -> None:
    uninterrupted = train(tmp_path / "uninterrupted", transformed, 10**6, Recorder())
    recorder = Recorder()
    for checks in (2, 1, 2):  # the second in the epoch that was resumed, the third at its end
        with pytest.raises(TerminationError, match="the job was interrupted"):
            train(tmp_path / "interrupted", transformed, checks, recorder)
    resumed = train(tmp_path / "interrupted", transformed, 10**6, recorder)
    assert resumed == uninterrupted, "weights, history, every field of the artifact"
    steps = [(tmp_path / name / "output" / "steps.csv").read_bytes() for name in ("uninterrupted", "interrupted")]
    assert steps[0] == steps[1]
    assert recorder.positions == sorted(recorder.positions)
    assert len(set(recorder.positions)) == 3
    assert recorder.positions[0][0] == recorder.positions[1][0]
    assert recorder.positions[2][1] == 0
    assert any(step for _, step in recorder.positions), "one of them in the middle of an epoch"
    assert recorder.history == resumed.history[: recorder.positions[2][0] - 1], "the epochs before are reported"
    after = Recorder()
    assert train(tmp_path / "interrupted", transformed, 10**6, after) == uninterrupted, (
        "a finished training is only exported"
    )
    assert after.positions == [(5, 0)]


@pytest.mark.thorough
def test_pauses_after_an_epoch_and_continues_to_same_model(
    tmp_path: Path, transformed: Stored[TransformedExamples]
) -> None:
    undisturbed = train(tmp_path / "undisturbed", transformed, 10**6, Recorder())
    recorder = Recorder()
    for epoch in (1, 1, 3):  # the second attempt trains nothing
        with pytest.raises(Paused):
            train(tmp_path / "paused", transformed, 10**6, recorder, pause_after=epoch)
    assert train(tmp_path / "paused", transformed, 10**6, recorder, pause_after=4) == undisturbed
    assert recorder.positions == [(2, 0), (2, 0), (4, 0)]


@pytest.mark.thorough
def test_epoch_is_saved_before_it_is_reported(tmp_path: Path, transformed: Stored[TransformedExamples]) -> None:
    recorder = DirectoryRecorder(tmp_path / "checkpoints")
    train(tmp_path, transformed, 10**6, recorder, every_seconds=1e-6)
    assert [saved[-1] for saved in recorder.saved] == [f"epoch-000{epoch}-step-00000" for epoch in (2, 3, 4, 5)]


@pytest.mark.thorough
def test_checkpoint_of_another_machine_warns(tmp_path: Path, transformed: Stored[TransformedExamples]) -> None:
    with pytest.raises(TerminationError):
        train(tmp_path, transformed, 0, Recorder())
    checkpoints = Checkpoints(tmp_path / "checkpoints", fingerprint="this training")
    found = checkpoints.newest(NoProgress())
    assert found is not None
    checkpoints.write(found[0].model_copy(update={"machine": "GPU: another"}), found[1])
    recorder = Recorder()
    with pytest.raises(TerminationError):
        train(tmp_path, transformed, 0, recorder)
    assert "was written on GPU: another, and training continues on" in recorder.warnings[0]

"""Negative control of resuming: a checkpoint that lacks any single piece does not resume to the same result.

The pieces are those of a real checkpoint, so a new one cannot be forgotten. A missing piece has the value of a training
that has not begun.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import ValidationError

from components import Context, TransformedExamples
from components.base.errors import TerminationError
from components.base.termination import NoTermination
from components.inference.split_images import open_scaled
from components.testing.contract import make_inputs
from components.trainer.checkpoint import Arrays, Checkpoint, Checkpoints, capture_state
from components.trainer.config import TrainerConfig
from components.trainer.early_stopping import BestEpoch, EarlyStopping
from components.trainer.network import weights_digest
from components.trainer.training_loop import TrainingLoop
from tests.support.termination import TerminationAfter

CONFIG: dict[str, Any] = {
    "network": {"filters": (4, 4, 4), "dense": (8, 8), "dropout": 0.3, "batch_normalization": True},
    "augmentation": {"rotation": 10.0, "zoom": 0.1, "shear": 0.1, "shift": 0.1},
    "learning_rate": {"peak": 0.05},
    "epochs": 8,
    "batch_size": 4,
    "patience": 2,
    "monitor": "val_accuracy",
}
IDENTITY = {"schema_version", "fingerprint", "machine", "arrays", "state_sha256", "digest"}
"""Fields that say which training a checkpoint belongs to, and whether it is intact."""
UNUSED = {"done", "metrics/000/loss/total", "metrics/001/loss/count"}
"""`done` is for readers; Keras's own mean of the loss is not what the training step updates (`loss_mean`)."""
State = tuple[Checkpoint, Arrays]
Result = dict[str, Any]
pytestmark = pytest.mark.thorough


@dataclass
class Training:
    """A training that was interrupted in the middle of an epoch, after the best one."""

    loop: TrainingLoop
    initial: State
    saved: State
    uninterrupted: Result

    def finish(self, state: State) -> Result:
        """Resume from a checkpoint on disk, and return what training ends with."""
        loop, checkpoints = self.loop, self.loop.checkpoints
        assert isinstance(checkpoints, Checkpoints)
        shutil.rmtree(checkpoints.directory, ignore_errors=True)
        checkpoints.write(*state)
        loop.epoch, loop.step, loop.history = 1, 0, []
        loop.step_history.state = self.initial[1]["steps"]
        loop.stopping = EarlyStopping(loop.config.monitor, patience=loop.config.patience)
        loop.fit()
        return result(loop)

    def pieces(self) -> Iterator[tuple[str, State]]:
        """Yield each piece and the checkpoint without it; groups of arrays before single ones."""
        record, arrays = self.saved
        fresh, initial = self.initial
        for name in Checkpoint.model_fields.keys() - IDENTITY:
            yield name, (record.model_copy(update={name: getattr(fresh, name)}), arrays)
        for name in BestEpoch.model_fields:
            best = record.best.model_copy(update={name: getattr(fresh.best, name)})
            yield f"best.{name}", (record.model_copy(update={"best": best}), arrays)
        groups = dict.fromkeys(name.partition("/")[0] for name in arrays)
        for part in (*(f"{group}/" for group in groups if group != "steps"), *arrays):
            yield part, (record, {name: initial[name] if name.startswith(part) else arrays[name] for name in arrays})


def result(loop: TrainingLoop) -> Result:
    return {
        "weights": weights_digest(loop.network),
        "history": loop.history,
        "best": loop.stopping.best,
        "steps": loop.step_history.state.tolist(),
    }


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("training")
    transformed = make_inputs(folder / "inputs")[TransformedExamples]
    splits, config = transformed.artifact.splits, TrainerConfig.model_validate(CONFIG)
    train, validation = (open_scaled(transformed, split) for split in (splits.train, splits.validation))

    def build(context: Context) -> TrainingLoop:
        network = config.network.build(
            image_shape=transformed.artifact.image_shape,
            classes=len(transformed.artifact.class_names),
            seed=config.seed,
        )
        return TrainingLoop(network, config, train, validation, context)

    undisturbed = build(Context(output=folder))
    undisturbed.fit()
    context = Context(output=folder, checkpoints=folder / "checkpoints", termination=TerminationAfter(27))
    loop = build(context)
    arrays = capture_state(loop.classifier, loop.stopping, loop.step_history)
    best = {f"best/{number:03}/{weight.path}": weight.numpy() for number, weight in enumerate(loop.network.weights)}
    with pytest.raises(TerminationError):
        loop.fit()
    assert isinstance(loop.checkpoints, Checkpoints)
    saved = loop.checkpoints.read(loop.checkpoints.paths()[0])
    loop.context = replace(context, termination=NoTermination())
    fresh = Checkpoint(epoch=1, step=0, done=False, history=(), best=BestEpoch(), machine="")
    return Training(loop, (fresh, arrays | best), saved, result(undisturbed))


def test_complete_checkpoint_resumes_to_the_same_result(training: Training) -> None:
    record, _ = training.saved
    assert record.epoch > record.best.epoch + record.best.waited > record.best.epoch > 1, "every piece matters"
    assert 0 < record.step < training.loop.order.steps
    assert training.finish(training.saved) == training.uninterrupted


def test_every_missing_piece_changes_the_result(training: Training) -> None:
    unnoticed = set()
    for piece, state in training.pieces():
        with suppress(ValidationError):  # more hits than images
            if training.finish(state) == training.uninterrupted:
                unnoticed.add(piece)
    assert unnoticed == UNUSED

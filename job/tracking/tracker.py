"""The interface of a tracker, and the trackers that a configuration turns on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from components.base.errors import ConfigError
from components.runtime.libraries import missing_modules

if TYPE_CHECKING:
    from job.config.tracking import MlflowConfig, TensorBoardConfig, TrackingConfig
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact

MODULES = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}
"""Modules that each tracker imports; the extra of the same name installs them."""


class Tracker(Protocol):
    """Records one run in a tool.

    The constructor runs in the main thread: it imports the tool's library and connects to nothing. All methods run
    in a thread of the tracker (see `BackgroundTracker`), where they may block or raise.
    """

    @property
    def location(self) -> str:
        """Where to find the run in the tool, without a password."""

    def begin(self, record: RunRecord) -> None:
        """Called when a run begins, with its id, configuration and environment."""

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Called once per epoch, in order; for epochs of earlier attempts or of a reused model, afterwards.

        Args:
            epoch: from 1.
            metrics: `loss`, `accuracy`, `val_loss`, `val_accuracy` and `learning_rate`.
        """

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        """Called when a step is done, with its artifact."""

    def end(self, record: RunRecord, directory: Path) -> None:
        """Called last, with the outcome of the run and the folder of its record and report."""

    def abort(self, reason: str) -> None:
        """Called instead of further methods after one failed, so that the tool can mark the run as incomplete."""


TrackerFactory = Callable[[str], Tracker]
"""Creates the tracker of the run with a given id."""


def tracker_factories(config: TrackingConfig, root: Path) -> dict[str, TrackerFactory]:
    """Return a factory for each tracker that is on, by the tool's name; only the factory imports its library.

    Raises:
        ConfigError: if the extra of a tool is not installed.
    """
    factories: dict[str, TrackerFactory] = {}
    if config.tensorboard is not None:
        factories["tensorboard"] = partial(_tensorboard, config.tensorboard, root)
    if config.mlflow is not None:
        factories["mlflow"] = partial(_mlflow, config.mlflow, root)
    for name in factories:
        if missing := missing_modules(MODULES[name]):
            raise ConfigError(
                f"tracking.{name} is on, but {missing[0]} is not installed",
                expected=f"the extra `{name}`",
                remedy=f"run `make extras` or `pip install 'mnist-job[{name}]'`, or remove tracking.{name}",
            )
    return factories


def _tensorboard(config: TensorBoardConfig, root: Path, run_id: str) -> Tracker:
    from job.tracking.tensorboard_tracker import TensorBoardTracker

    return TensorBoardTracker(config, root, run_id)


def _mlflow(config: MlflowConfig, root: Path, run_id: str) -> Tracker:
    from job.tracking.mlflow_tracker import MlflowTracker

    return MlflowTracker(config, root, run_id)

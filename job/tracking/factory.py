"""The trackers that a configuration asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from components.base.errors import ConfigError
from components.runtime.libraries import missing_modules
from job.tracking.tracker import NoTracker
from job.tracking.trackers import Trackers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from components.base.termination import Termination
    from job.config.tracking import MlflowConfig, TensorBoardConfig, TrackingConfig
    from job.reporters.listener import RunListener
    from job.tracking.tracker import Tool, Tracker

MODULES = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}
"""What each extra installs of what its tracker imports."""


def make_tracker(config: TrackingConfig, root: Path, report: RunListener, termination: Termination) -> Tracker:
    """Return what follows a run as it is configured; nothing is imported before the run begins.

    Args:
        config: which tools.
        root: where they keep what they are not told to keep elsewhere.
        report: told of a tool that fails.
        termination: asked at the end of the run whether to hurry.

    Raises:
        ConfigError: if the extra of such a tool is not installed.
    """
    makers: dict[str, Callable[[str], Tool]] = {}
    if config.tensorboard is not None:
        makers["tensorboard"] = partial(_tensorboard, config.tensorboard, root)
    if config.mlflow is not None:
        makers["mlflow"] = partial(_mlflow, config.mlflow, root)
    for name in makers:
        check_installed(name)
    if not makers:
        return NoTracker()
    return Trackers(makers, report, termination)


def check_installed(name: str) -> None:
    """See that a tool can be imported, without importing it.

    Raises:
        ConfigError: if it cannot.
    """
    if missing := missing_modules(MODULES[name]):
        raise ConfigError(
            f"tracking.{name} is on, and {missing[0]} is not installed",
            expected=f"the extra `{name}`",
            remedy=f"`make extras`, or `pip install 'mnist-job[{name}]'`; or take tracking.{name} away",
        )


def _tensorboard(config: TensorBoardConfig, root: Path, run_id: str) -> Tool:
    from job.tracking.tensorboard_tracker import TensorBoardTracker

    return TensorBoardTracker(config, root, run_id)


def _mlflow(config: MlflowConfig, root: Path, run_id: str) -> Tool:
    from job.tracking.mlflow_tracker import MlflowTracker

    return MlflowTracker(config, root, run_id)

"""The section `tracking` of a configuration: which tools record a run."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from components.base.paths import UserPath
from components.base.text import Name


class TrackingPart(BaseModel):
    """Base of the models in `tracking`: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorBoardConfig(TrackingPart):
    """Event files for TensorBoard; needs the extra `tensorboard`."""

    directory: UserPath | None = None
    """Folder with one subfolder per run; by default `tensorboard` in the root."""


class MlflowConfig(TrackingPart):
    """One MLflow run per run of the job; needs the extra `mlflow`."""

    uri: Name | None = None
    """Tracking store: a database such as `sqlite:///mlflow.db`, a folder, or a server. By default
    MLFLOW_TRACKING_URI from the environment, else `mlflow.db` in the root."""
    experiment: Name = "mnist-job"
    """Name of the MLflow experiment; created if it does not exist."""
    model: Annotated[bool, Field(strict=True)] = True
    """Whether to store the model's files."""


class TrackingConfig(TrackingPart):
    """Tools that record the run; they do not affect any result. A tool is off if its section is absent or null."""

    tensorboard: TensorBoardConfig | None = None
    """Event files for TensorBoard; `{}` for all defaults."""
    mlflow: MlflowConfig | None = None
    """A run in MLflow; `{}` for all defaults."""

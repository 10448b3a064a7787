"""Which tools follow a run; the section `tracking` of a configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from job.tracking.redact import has_password

Name = Annotated[str, Field(strict=True, min_length=1)]


class TrackingPart(BaseModel):
    """Base of what `tracking` holds: frozen, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorBoardConfig(TrackingPart):
    """Event files for TensorBoard; needs the extra `tensorboard`."""

    directory: Name | None = None
    """Folder in which each run gets one of its id; by default `tensorboard` in the root."""


class MlflowConfig(TrackingPart):
    """A run in MLflow for each run of the job; needs the extra `mlflow`."""

    uri: Name | None = None
    """Of the tracking store: a database such as `sqlite:///mlflow.db`, a folder, or a server. By default
    what MLFLOW_TRACKING_URI in the environment says, else `mlflow.db` in the root."""
    experiment: Name = "mnist-job"
    """Name of the experiment that the run becomes part of; made where there is none."""
    model: Annotated[bool, Field(strict=True)] = True
    """Whether the model's files are stored with the run."""

    @field_validator("uri")
    @classmethod
    def _holds_no_password(cls, uri: str | None) -> str | None:
        if uri is not None and has_password(uri):
            raise ValueError(
                "a password or token in it would stand in run.json; put the whole into MLFLOW_TRACKING_URI"
            )
        return uri


class TrackingConfig(TrackingPart):
    """Which tools follow the run; no result depends on it. A tool whose section is absent or null does not."""

    tensorboard: TensorBoardConfig | None = None
    """Event files for TensorBoard: `{}` for all defaults."""
    mlflow: MlflowConfig | None = None
    """A run in MLflow: `{}` for all defaults."""
